//! Reads the keywords of every subschema that the root reaches.

use std::collections::HashMap;

use jsonschema::Draft;
use mesh_core::{Error, ErrorKind, Result};
use referencing::Resolver;
use serde_json::{Map, Value};

use super::chains::in_place_is_finite;
use super::node::{ArrayRules, Bound, Condition, Contains, Id, Node, ObjectRules, Types};
use super::number::{Num, equal};
use super::parse::excerpt;

/// Subschemas of one schema; a schema of the largest text has fewer unless it is contrived.
const MAX_NODES: usize = 200_000;

/// Reads `start` and all that it reaches, references followed.
pub(super) fn compile<'r>(
    start: &'r Value,
    resolver: Resolver<'r>,
    draft: Draft,
) -> Result<(Vec<Node>, Id)> {
    let mut compiler = Compiler {
        nodes: Vec::new(),
        known: HashMap::new(),
        waiting: Vec::new(),
    };
    let root = compiler.id(start, &resolver, draft, Vec::new())?;
    // A list of what waits instead of recursion: references may chain as long as the text is.
    while let Some(task) = compiler.waiting.pop() {
        compiler.read(task)?;
    }
    in_place_is_finite(&compiler.nodes)?;
    Ok((compiler.nodes, root))
}

struct Compiler<'r> {
    nodes: Vec<Node>,
    /// By the place in memory and the base of references.
    known: HashMap<(*const Value, String), Id>,
    waiting: Vec<Task<'r>>,
}

struct Task<'r> {
    id: Id,
    json: &'r Value,
    resolver: Resolver<'r>,
    draft: Draft,
    path: Vec<String>,
}

impl<'r> Compiler<'r> {
    fn id(
        &mut self,
        json: &'r Value,
        resolver: &Resolver<'r>,
        draft: Draft,
        path: Vec<String>,
    ) -> Result<Id> {
        let draft = match draft.detect(json) {
            Draft::Unknown => draft,
            known => known,
        };
        let resolver = resolver
            .in_subresource(draft.create_resource_ref(json))
            .map_err(|_| refuse("the identifier is not a URI reference", &path))?;
        let key = (
            std::ptr::from_ref(json),
            resolver.base_uri().as_str().to_owned(),
        );
        if let Some(id) = self.known.get(&key) {
            return Ok(*id);
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "the schema has too many subschemas",
            )
            .with("limit", MAX_NODES)
            .retryable(false));
        }
        let id = self.nodes.len() as Id;
        self.nodes.push(Node::new(draft));
        self.known.insert(key, id);
        self.waiting.push(Task {
            id,
            json,
            resolver,
            draft,
            path,
        });
        Ok(id)
    }

    fn read(&mut self, task: Task<'r>) -> Result<()> {
        let mut node = Node::new(task.draft);
        match task.json {
            Value::Bool(accepts) => node.always = Some(*accepts),
            Value::Object(object) if object.is_empty() => node.always = Some(true),
            Value::Object(object) => self.keywords(&mut node, object, &task)?,
            _ => return Err(refuse("a schema is an object or a boolean", &task.path)),
        }
        self.nodes[task.id as usize] = node;
        Ok(())
    }

    fn keywords(
        &mut self,
        node: &mut Node,
        object: &'r Map<String, Value>,
        task: &Task<'r>,
    ) -> Result<()> {
        let since = |draft: Draft| task.draft >= draft;
        if let Some(Value::String(reference)) = object.get("$ref") {
            node.reference = Some(self.follow(reference, "$ref", task)?);
            // Up to draft 7 a reference stands alone, whatever is beside it.
            node.stands_for = !since(Draft::Draft201909) || object.len() == 1;
            if node.stands_for {
                return Ok(());
            }
        }
        node.opaque = (task.draft == Draft::Draft201909 && object.contains_key("$recursiveRef"))
            || (task.draft == Draft::Draft202012 && object.contains_key("$dynamicRef"));
        if let Some(json) = object.get("type") {
            node.types = types(json, task.draft);
        }
        if let Some(Value::Array(values)) = object.get("enum") {
            node.values = Some(values.clone());
        }
        if since(Draft::Draft6)
            && let Some(value) = object.get("const")
        {
            let allowed = node
                .values
                .as_ref()
                .is_none_or(|values| values.iter().any(|other| equal(other, value)));
            node.values = Some(match allowed {
                true => vec![value.clone()],
                false => Vec::new(),
            });
        }
        numbers(node, object, task.draft);
        node.min_length = count(object, "minLength").unwrap_or(0);
        node.max_length = count(object, "maxLength");
        node.pattern = text(object, "pattern");
        self.array(node, object, task)?;
        self.object(node, object, task)?;
        node.all_of = self.list(object, "allOf", task)?;
        node.any_of = self.list(object, "anyOf", task)?;
        node.one_of = self.list(object, "oneOf", task)?;
        node.not = self.one(object, "not", task)?;
        if since(Draft::Draft7)
            && let Some(when) = self.one(object, "if", task)?
        {
            node.condition = Some(Condition {
                when,
                then: self.one(object, "then", task)?,
                otherwise: self.one(object, "else", task)?,
            });
        }
        Ok(())
    }

    fn array(
        &mut self,
        node: &mut Node,
        object: &'r Map<String, Value>,
        task: &Task<'r>,
    ) -> Result<()> {
        let mut rules = ArrayRules {
            min: count(object, "minItems").unwrap_or(0),
            max: count(object, "maxItems"),
            unique: object.get("uniqueItems") == Some(&Value::Bool(true)),
            ..ArrayRules::default()
        };
        if task.draft >= Draft::Draft202012 {
            rules.prefix = self.list(object, "prefixItems", task)?;
            rules.rest = self.one(object, "items", task)?;
        } else if object.get("items").is_some_and(Value::is_array) {
            rules.prefix = self.list(object, "items", task)?;
            rules.rest = self.one(object, "additionalItems", task)?;
        } else {
            rules.rest = self.one(object, "items", task)?;
        }
        if task.draft >= Draft::Draft6
            && let Some(schema) = self.one(object, "contains", task)?
        {
            let counts = task.draft >= Draft::Draft201909;
            rules.contains = Some(Contains {
                schema,
                min: count(object, "minContains").filter(|_| counts).unwrap_or(1),
                max: count(object, "maxContains").filter(|_| counts),
            });
        }
        if task.draft >= Draft::Draft201909 {
            rules.unevaluated = self.one(object, "unevaluatedItems", task)?;
        }
        let used = rules.min > 0
            || rules.max.is_some()
            || rules.unique
            || !rules.prefix.is_empty()
            || rules.rest.is_some()
            || rules.contains.is_some()
            || rules.unevaluated.is_some();
        node.array = used.then(|| Box::new(rules));
        Ok(())
    }

    fn object(
        &mut self,
        node: &mut Node,
        object: &'r Map<String, Value>,
        task: &Task<'r>,
    ) -> Result<()> {
        let mut rules = ObjectRules {
            min: count(object, "minProperties").unwrap_or(0),
            max: count(object, "maxProperties"),
            required: strings(object.get("required")),
            additional: self.one(object, "additionalProperties", task)?,
            ..ObjectRules::default()
        };
        rules.properties = self
            .named(object, "properties", task)?
            .into_iter()
            .collect();
        rules.patterns = self
            .named(object, "patternProperties", task)?
            .into_iter()
            .collect();
        if task.draft >= Draft::Draft6 {
            rules.names = self.one(object, "propertyNames", task)?;
        }
        // Later drafts renamed the keyword; some validators go on honouring the old name.
        if let Some(Value::Object(dependencies)) = object.get("dependencies") {
            rules.loose = task.draft >= Draft::Draft201909;
            for (name, needs) in dependencies {
                if needs.is_array() {
                    rules.needs.push((name.clone(), strings(Some(needs))));
                } else {
                    let id = self.child(needs, &["dependencies", name], task)?;
                    rules.then_schemas.push((name.clone(), id));
                }
            }
        }
        if task.draft >= Draft::Draft201909 {
            if let Some(Value::Object(needs)) = object.get("dependentRequired") {
                for (name, needs) in needs {
                    rules.needs.push((name.clone(), strings(Some(needs))));
                }
            }
            rules
                .then_schemas
                .extend(self.named(object, "dependentSchemas", task)?);
            rules.unevaluated = self.one(object, "unevaluatedProperties", task)?;
        }
        let used = rules.min > 0
            || rules.max.is_some()
            || !rules.required.is_empty()
            || rules.additional.is_some()
            || !rules.properties.is_empty()
            || !rules.patterns.is_empty()
            || rules.names.is_some()
            || !rules.needs.is_empty()
            || !rules.then_schemas.is_empty()
            || rules.unevaluated.is_some();
        node.object = used.then(|| Box::new(rules));
        Ok(())
    }

    fn follow(&mut self, reference: &str, key: &str, task: &Task<'r>) -> Result<Id> {
        let found = task.resolver.lookup(reference).map_err(|_| {
            let mut path = task.path.clone();
            path.push(key.to_owned());
            refuse(
                format!(
                    "'{}' leads to no schema: not in this document, and not among the references \
                     that were given by name",
                    excerpt(reference)
                ),
                &path,
            )
        })?;
        let (json, resolver, draft) = found.into_inner();
        // The place of the target, not the way to it, which may be as long as the text.
        let path = match reference.strip_prefix("#/") {
            Some(pointer) => pointer.split('/').map(str::to_owned).collect(),
            None => vec![excerpt(reference)],
        };
        self.id(json, &resolver, draft, path)
    }

    fn child(&mut self, json: &'r Value, steps: &[&str], task: &Task<'r>) -> Result<Id> {
        let mut path = task.path.clone();
        path.extend(steps.iter().map(|step| (*step).to_owned()));
        self.id(json, &task.resolver, task.draft, path)
    }

    fn one(
        &mut self,
        object: &'r Map<String, Value>,
        key: &str,
        task: &Task<'r>,
    ) -> Result<Option<Id>> {
        object
            .get(key)
            .map(|json| self.child(json, &[key], task))
            .transpose()
    }

    fn list(
        &mut self,
        object: &'r Map<String, Value>,
        key: &str,
        task: &Task<'r>,
    ) -> Result<Vec<Id>> {
        let Some(Value::Array(list)) = object.get(key) else {
            return Ok(Vec::new());
        };
        list.iter()
            .enumerate()
            .map(|(at, json)| self.child(json, &[key, &at.to_string()], task))
            .collect()
    }

    fn named(
        &mut self,
        object: &'r Map<String, Value>,
        key: &str,
        task: &Task<'r>,
    ) -> Result<Vec<(String, Id)>> {
        let Some(Value::Object(map)) = object.get(key) else {
            return Ok(Vec::new());
        };
        map.iter()
            .map(|(name, json)| Ok((name.clone(), self.child(json, &[key, name], task)?)))
            .collect()
    }
}

fn types(json: &Value, draft: Draft) -> Types {
    let of = |word: &str| match word {
        "null" => Types::NULL,
        "boolean" => Types::BOOLEAN,
        "object" => Types::OBJECT,
        "array" => Types::ARRAY,
        "string" => Types::STRING,
        "number" => Types::NUMBER,
        "integer" if draft == Draft::Draft4 => Types::INT,
        "integer" => Types::INT.or(Types::WHOLE),
        _ => Types::NONE,
    };
    match json {
        Value::String(word) => of(word),
        Value::Array(words) => words
            .iter()
            .filter_map(Value::as_str)
            .fold(Types::NONE, |all, word| all.or(of(word))),
        _ => Types::ALL,
    }
}

fn numbers(node: &mut Node, object: &Map<String, Value>, draft: Draft) {
    let number = |key: &str| object.get(key).and_then(Num::of_value);
    let flag = |key: &str| object.get(key) == Some(&Value::Bool(true));
    let old = draft == Draft::Draft4;
    let bound = |inclusive: &str, exclusive: &str, tighter: std::cmp::Ordering| {
        let own = number(inclusive).map(|at| Bound {
            at,
            exclusive: old && flag(exclusive),
        });
        let strict = number(exclusive).filter(|_| !old).map(|at| Bound {
            at,
            exclusive: true,
        });
        match (own, strict) {
            (Some(own), Some(strict)) if own.at.order(strict.at) == tighter => Some(own),
            (own, strict) => strict.or(own),
        }
    };
    node.lower = bound("minimum", "exclusiveMinimum", std::cmp::Ordering::Greater);
    node.upper = bound("maximum", "exclusiveMaximum", std::cmp::Ordering::Less);
    node.multiple_of = number("multipleOf");
}

/// A count; drafts since 6 allow to write 5 as 5.0.
fn count(object: &Map<String, Value>, key: &str) -> Option<u64> {
    match object.get(key).and_then(Num::of_value)? {
        Num::Int(int) => Some(u64::try_from(int).unwrap_or(if int < 0 { 0 } else { u64::MAX })),
        Num::Float(_) => Some(u64::MAX),
    }
}

fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn strings(json: Option<&Value>) -> Vec<String> {
    let list = json.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn refuse(message: impl Into<String>, path: &[String]) -> Error {
    let mut pointer = String::new();
    for step in path {
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    }
    if pointer.is_empty() {
        pointer.push('/');
    }
    Error::invalid(message.into()).with("at", pointer)
}
