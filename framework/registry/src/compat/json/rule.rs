//! The rules of compatibility between JSON Schemas, named as Confluent's registry names them.

use std::fmt;

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// What a change to a JSON Schema did that stops the reader from accepting a document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rule {
            /// The rule's name as it stands in a compatibility message (`errorType`).
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

rules! {
    /// The reader takes some of the writer's types and not others.
    TypeNarrowed = "TYPE_NARROWED",
    /// The reader takes none of the writer's types.
    TypeChanged = "TYPE_CHANGED",
    /// The reader lists values, and the writer may write others.
    EnumArrayNarrowed = "ENUM_ARRAY_NARROWED",
    /// The reader bounds a number from above and the writer does not.
    MaximumAdded = "MAXIMUM_ADDED",
    /// The reader's greatest number is smaller than the writer's.
    MaximumDecreased = "MAXIMUM_DECREASED",
    /// The reader bounds a number from below and the writer does not.
    MinimumAdded = "MINIMUM_ADDED",
    /// The reader's smallest number is greater than the writer's.
    MinimumIncreased = "MINIMUM_INCREASED",
    /// The reader bounds a number from above, the bound excluded, and the writer does not.
    ExclusiveMaximumAdded = "EXCLUSIVE_MAXIMUM_ADDED",
    /// The reader's excluded upper bound is smaller than what the writer may write.
    ExclusiveMaximumDecreased = "EXCLUSIVE_MAXIMUM_DECREASED",
    /// The reader bounds a number from below, the bound excluded, and the writer does not.
    ExclusiveMinimumAdded = "EXCLUSIVE_MINIMUM_ADDED",
    /// The reader's excluded lower bound is greater than what the writer may write.
    ExclusiveMinimumIncreased = "EXCLUSIVE_MINIMUM_INCREASED",
    /// The reader wants multiples of a number and the writer writes any.
    MultipleOfAdded = "MULTIPLE_OF_ADDED",
    /// The writer's multiples are not all multiples for the reader.
    MultipleOfChanged = "MULTIPLE_OF_CHANGED",
    /// The reader bounds the length of a string and the writer does not.
    MaxLengthAdded = "MAX_LENGTH_ADDED",
    /// The reader's longest string is shorter than the writer's.
    MaxLengthDecreased = "MAX_LENGTH_DECREASED",
    /// The reader wants a least length of a string and the writer does not.
    MinLengthAdded = "MIN_LENGTH_ADDED",
    /// The reader's shortest string is longer than the writer's.
    MinLengthIncreased = "MIN_LENGTH_INCREASED",
    /// The reader has a pattern and the writer has none.
    PatternAdded = "PATTERN_ADDED",
    /// Reader and writer have different patterns.
    PatternChanged = "PATTERN_CHANGED",
    /// The reader bounds the number of items and the writer does not.
    MaxItemsAdded = "MAX_ITEMS_ADDED",
    /// The reader takes fewer items than the writer may write.
    MaxItemsDecreased = "MAX_ITEMS_DECREASED",
    /// The reader wants a least number of items and the writer does not.
    MinItemsAdded = "MIN_ITEMS_ADDED",
    /// The reader wants more items than the writer need write.
    MinItemsIncreased = "MIN_ITEMS_INCREASED",
    /// The reader wants items that differ and the writer may repeat them.
    UniqueItemsAdded = "UNIQUE_ITEMS_ADDED",
    /// The reader gives a schema to an item that the writer leaves open.
    ItemAddedToOpenContentModel = "ITEM_ADDED_TO_OPEN_CONTENT_MODEL",
    /// The writer has an item of its own where the reader takes no more items.
    ItemRemovedFromClosedContentModel = "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    /// The writer may write more items than the reader takes.
    AdditionalItemsRemoved = "ADDITIONAL_ITEMS_REMOVED",
    /// The reader takes other further items than the writer writes.
    AdditionalItemsNarrowed = "ADDITIONAL_ITEMS_NARROWED",
    /// The reader wants an item of a kind that the writer need not write.
    ContainsNarrowed = "CONTAINS_NARROWED",
    /// The reader bounds the number of properties and the writer does not.
    MaxPropertiesAdded = "MAX_PROPERTIES_ADDED",
    /// The reader takes fewer properties than the writer may write.
    MaxPropertiesDecreased = "MAX_PROPERTIES_DECREASED",
    /// The reader wants a least number of properties and the writer does not.
    MinPropertiesAdded = "MIN_PROPERTIES_ADDED",
    /// The reader wants more properties than the writer need write.
    MinPropertiesIncreased = "MIN_PROPERTIES_INCREASED",
    /// The reader requires a property that the writer knows and may leave out.
    RequiredAttributeAdded = "REQUIRED_ATTRIBUTE_ADDED",
    /// The reader requires a property that the writer does not know.
    RequiredPropertyAddedToUnopenContentModel = "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
    /// The reader gives a schema to a property that the writer leaves open.
    PropertyAddedToOpenContentModel = "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
    /// The reader's schema for a property takes less than the writer's schema for all others.
    PropertyAddedNotCoveredByPartiallyOpenContentModel =
        "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    /// The writer has a property and the reader allows none but its own.
    PropertyRemovedFromClosedContentModel = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    /// The writer has a property that does not fit the reader's schema for all others.
    PropertyRemovedNotCoveredByPartiallyOpenContentModel =
        "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    /// The writer allows further properties and the reader does not.
    AdditionalPropertiesRemoved = "ADDITIONAL_PROPERTIES_REMOVED",
    /// The reader takes other further properties than the writer writes.
    AdditionalPropertiesNarrowed = "ADDITIONAL_PROPERTIES_NARROWED",
    /// The reader bounds the names of properties more tightly than the writer.
    PropertyNamesNarrowed = "PROPERTY_NAMES_NARROWED",
    /// The reader wants properties beside another that the writer need not write.
    DependencyArrayAdded = "DEPENDENCY_ARRAY_ADDED",
    /// The reader wants a schema beside a property that the writer need not keep.
    DependencySchemaAdded = "DEPENDENCY_SCHEMA_ADDED",
    /// No alternative of the reader takes all that the writer may write.
    SumTypeNarrowed = "SUM_TYPE_NARROWED",
    /// More than one alternative of the reader's `oneOf` may take what the writer writes.
    SumTypeOverlaps = "SUM_TYPE_OVERLAPS",
    /// The reader excludes what the writer may write.
    NotTypeExtended = "NOT_TYPE_EXTENDED",
    /// The reader's `if`, `then`, `else` takes less than the writer's.
    ConditionNarrowed = "CONDITION_NARROWED",
    /// The combination takes less, in a way that has no rule of its own.
    CombinedTypeSubschemasChanged = "COMBINED_TYPE_SUBSCHEMAS_CHANGED",
    /// A keyword stands there that is not compared, and the two schemas are not the same.
    KeywordNotCompared = "KEYWORD_NOT_COMPARED",
    /// The reader accepts nothing there.
    SchemaRemoved = "SCHEMA_REMOVED",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
