//! Subjects and the contexts that they stand in: `:.context:name`, or `name` alone in the
//! default context.

use std::fmt;

/// The default context.
pub(crate) const DEFAULT: &str = ".";
/// What stands for all contexts in a prefix.
pub(crate) const ANY: &str = ":*:";
/// A context that stands for the global settings, as in Confluent's registry.
const GLOBAL: &str = ".__GLOBAL";

/// A subject; without a name, a whole context, and the default context without a name the
/// registry as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    qualified: String,
    /// Where the name starts in `qualified`; 0 in the default context.
    name: usize,
}

impl Subject {
    /// The registry as a whole.
    pub(crate) fn global() -> Self {
        Self::new(DEFAULT, "")
    }

    fn new(context: &str, name: &str) -> Self {
        if context == DEFAULT {
            return Self {
                qualified: name.to_owned(),
                name: 0,
            };
        }
        Self {
            qualified: format!(":{context}:{name}"),
            name: context.len() + 2,
        }
    }

    /// Reads a subject as Confluent's registry does; any text is one.
    pub(crate) fn read(text: &str) -> Self {
        Self::within(DEFAULT, text)
    }

    /// Reads a subject that stands in `context` unless it names another.
    pub(crate) fn within(context: &str, text: &str) -> Self {
        match split(text) {
            Some((own, name)) => Self::new(own, name),
            None => Self::new(context, text),
        }
    }

    /// Context and name, as answers have it.
    pub(crate) fn as_str(&self) -> &str {
        &self.qualified
    }

    /// The context, which begins with a dot.
    pub(crate) fn context(&self) -> &str {
        match self.name {
            0 => DEFAULT,
            name => &self.qualified[1..name - 1],
        }
    }

    /// The name without the context.
    pub(crate) fn name(&self) -> &str {
        &self.qualified[self.name..]
    }

    pub(crate) fn in_default_context(&self) -> bool {
        self.name == 0
    }

    /// The context as a whole.
    pub(crate) fn whole_context(&self) -> Self {
        Self::new(self.context(), "")
    }

    /// The same for settings, of which the registry as a whole has one set.
    pub(crate) fn for_settings(self) -> Self {
        match self.context() == GLOBAL && self.name().is_empty() {
            true => Self::global(),
            false => self,
        }
    }

    pub(crate) fn is_global(&self) -> bool {
        self.qualified.is_empty()
    }

    /// Whether it can be written under, with the reason why not.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.name().trim().is_empty() {
            return Err("it is empty");
        }
        self.check_context()?;
        match self.name() {
            "__GLOBAL" | "__EMPTY" => Err("it is reserved"),
            name if name.starts_with(":.") || name.starts_with(ANY) => Err("it holds two contexts"),
            _ => Ok(()),
        }
    }

    /// The same for a subject or a context.
    pub(crate) fn check_context(&self) -> Result<(), &'static str> {
        if self.qualified.len() > 1024 {
            Err("it is longer than 1024 bytes")
        } else if self.qualified.chars().any(char::is_control) {
            Err("it holds a control character")
        } else if self.context() == GLOBAL {
            Err("its context is reserved")
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.qualified)
    }
}

/// Context and rest of a text that names a context.
fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text
        .strip_prefix(':')
        .filter(|rest| rest.starts_with('.'))?;
    Some(rest.split_once(':').unwrap_or((rest, "")))
}

/// The start of subjects: in one context or in all.
#[derive(Debug, Clone)]
pub(crate) struct Prefix {
    /// `None` for all contexts.
    pub(crate) context: Option<String>,
    pub(crate) name: String,
}

impl Prefix {
    /// Reads the `subjectPrefix` of a request; nothing means all.
    pub(crate) fn read(text: &str) -> Self {
        let all = text.is_empty().then_some("").or(text.strip_prefix(ANY));
        match all {
            Some(name) => Self {
                context: None,
                name: name.to_owned(),
            },
            None => {
                let subject = Subject::read(text);
                Self {
                    context: Some(subject.context().to_owned()),
                    name: subject.name().to_owned(),
                }
            }
        }
    }
}

/// The context of a path, with or without the dot and the colons, as a prefix of subjects.
pub(crate) fn context_prefix(text: &str) -> Option<String> {
    let text = text.strip_prefix(':').unwrap_or(text);
    let text = text.strip_suffix(':').unwrap_or(text);
    let name = text.strip_prefix('.').unwrap_or(text);
    (!name.contains(':')).then(|| match name {
        "" => String::new(),
        name => format!(":.{name}:"),
    })
}
