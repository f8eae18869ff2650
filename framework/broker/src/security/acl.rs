//! Kafka's access control lists: what an entry says, and which entries a filter means.

use serde::{Deserialize, Serialize};

/// The name that stands for every resource of a type, and for every host.
pub(crate) const WILDCARD: &str = "*";
/// The principal that stands for every user.
const EVERY_USER: &str = "User:*";
/// The one resource of type cluster.
pub(crate) const CLUSTER_NAME: &str = "kafka-cluster";

macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub(crate) enum $name { $($(#[$note])* $variant = $code,)+ }

        impl $name {
            /// Kafka's number.
            pub(crate) fn code(self) -> i8 {
                self as i8
            }

            /// The one with this number, if it can stand in an entry.
            pub(crate) fn from_code(code: i8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

coded!(
    /// What an entry is about.
    ResourceType {
        Topic = 2,
        Group = 3,
        Cluster = 4,
        TransactionalId = 5,
        DelegationToken = 6,
        User = 7,
    }
);

coded!(
    /// What is done.
    Operation {
        All = 2,
        Read = 3,
        Write = 4,
        Create = 5,
        Delete = 6,
        Alter = 7,
        Describe = 8,
        ClusterAction = 9,
        DescribeConfigs = 10,
        AlterConfigs = 11,
        IdempotentWrite = 12,
        CreateTokens = 13,
        DescribeTokens = 14,
        TwoPhaseCommit = 15,
    }
);

coded!(
    /// Whether a name is meant itself or as the beginning of names.
    PatternType {
        Literal = 3,
        Prefixed = 4,
    }
);

coded!(
    /// Whether an entry gives or takes.
    Permission {
        Deny = 2,
        Allow = 3,
    }
);

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acl {
    pub(crate) resource_type: ResourceType,
    pub(crate) name: String,
    pub(crate) pattern: PatternType,
    pub(crate) principal: String,
    pub(crate) host: String,
    pub(crate) operation: Operation,
    pub(crate) permission: Permission,
}

impl Acl {
    pub(super) fn is_for(&self, principal: &str, host: &str) -> bool {
        // The wildcard is one of users only, and every principal here is a user.
        (self.principal == principal || self.principal == EVERY_USER)
            && (self.host == WILDCARD || self.host == host)
    }

    pub(super) fn denies(&self, operation: Operation) -> bool {
        self.permission == Permission::Deny
            && (self.operation == operation || self.operation == Operation::All)
    }

    pub(super) fn allows(&self, operation: Operation) -> bool {
        use Operation::{All, Alter, AlterConfigs, Delete, Describe, DescribeConfigs, Read, Write};
        let implied = match operation {
            Describe => matches!(self.operation, Read | Write | Delete | Alter),
            DescribeConfigs => self.operation == AlterConfigs,
            _ => false,
        };
        self.permission == Permission::Allow
            && (self.operation == operation || self.operation == All || implied)
    }
}

/// Which entries are listed or deleted; `None` stands for any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) resource_type: Option<ResourceType>,
    pub(crate) name: Option<String>,
    pub(crate) pattern: PatternFilter,
    pub(crate) principal: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) operation: Option<Operation>,
    pub(crate) permission: Option<Permission>,
}

/// How a filter's name is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum PatternFilter {
    /// With the name of the entry, whatever its pattern.
    #[default]
    Any,
    /// As the name of a resource: what would be looked at for it.
    Match,
    /// With the name of entries of this pattern.
    Is(PatternType),
}

impl Filter {
    pub(crate) fn matches(&self, acl: &Acl) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        let named = match (&self.name, self.pattern) {
            (_, PatternFilter::Is(pattern)) if pattern != acl.pattern => false,
            (None, _) => true,
            (Some(name), PatternFilter::Match) => match acl.pattern {
                PatternType::Literal => acl.name == *name || acl.name == WILDCARD,
                PatternType::Prefixed => name.starts_with(&acl.name),
            },
            (Some(name), _) => acl.name == *name,
        };
        named
            && is(self.resource_type.as_ref(), &acl.resource_type)
            && is(self.principal.as_ref(), &acl.principal)
            && is(self.host.as_ref(), &acl.host)
            && is(self.operation.as_ref(), &acl.operation)
            && is(self.permission.as_ref(), &acl.permission)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn acl(name: &str, pattern: PatternType, operation: Operation, permission: Permission) -> Acl {
        Acl {
            resource_type: ResourceType::Topic,
            name: name.to_owned(),
            pattern,
            principal: "User:alice".to_owned(),
            host: WILDCARD.to_owned(),
            operation,
            permission,
        }
    }

    pub(in crate::security) fn allow(
        name: &str,
        pattern: PatternType,
        operation: Operation,
    ) -> Acl {
        acl(name, pattern, operation, Permission::Allow)
    }

    pub(in crate::security) fn deny(name: &str, pattern: PatternType, operation: Operation) -> Acl {
        acl(name, pattern, operation, Permission::Deny)
    }

    use Operation::{Read, Write};
    use PatternType::{Literal, Prefixed};

    #[test]
    fn filters() {
        let entries = [
            allow("bank.loans", Literal, Read),
            allow("bank.", Prefixed, Read),
            deny("*", Literal, Write),
        ];
        let count = |filter: &Filter| entries.iter().filter(|acl| filter.matches(acl)).count();
        let named = |pattern| Filter {
            name: Some("bank.loans".to_owned()),
            pattern,
            ..Filter::default()
        };
        assert_eq!(count(&Filter::default()), 3);
        assert_eq!(count(&named(PatternFilter::Any)), 1);
        assert_eq!(count(&named(PatternFilter::Match)), 3);
        assert_eq!(count(&named(PatternFilter::Is(Prefixed))), 0);
        let denials = Filter {
            permission: Some(Permission::Deny),
            pattern: PatternFilter::Is(Literal),
            ..Filter::default()
        };
        assert_eq!(count(&denials), 1);
        let operation = Filter {
            operation: Some(Read),
            principal: Some("User:bob".to_owned()),
            ..Filter::default()
        };
        assert_eq!(count(&operation), 0);
    }
}
