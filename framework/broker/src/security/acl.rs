//! Kafka's access control lists: what an entry says, and what it means for a request.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    fn is_for(&self, principal: &str, host: &str) -> bool {
        // The wildcard is one of users only, and every principal here is a user.
        (self.principal == principal || self.principal == EVERY_USER)
            && (self.host == WILDCARD || self.host == host)
    }

    fn denies(&self, operation: Operation) -> bool {
        self.permission == Permission::Deny
            && (self.operation == operation || self.operation == Operation::All)
    }

    fn allows(&self, operation: Operation) -> bool {
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

/// What the entries say about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
    /// No entry speaks of the resource at all.
    Unmentioned,
}

/// All entries, ordered so that those of one resource are found quickly.
#[derive(Debug, Default, Clone)]
pub(crate) struct Acls {
    all: BTreeSet<Acl>,
    by_type: BTreeMap<ResourceType, OfType>,
}

#[derive(Debug, Default, Clone)]
struct OfType {
    literal: HashMap<String, Vec<Acl>>,
    prefixed: HashMap<String, Vec<Acl>>,
    /// The lengths that prefixes have, so that only these are looked up.
    prefix_lengths: BTreeSet<usize>,
}

impl OfType {
    fn about<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Acl> {
        let wildcard = (name != WILDCARD).then_some(WILDCARD);
        let literal = [Some(name), wildcard]
            .into_iter()
            .flatten()
            .filter_map(|name| self.literal.get(name));
        let prefixed = self
            .prefix_lengths
            .range(..=name.len())
            .filter_map(|len| self.prefixed.get(name.get(..*len)?));
        literal.chain(prefixed).flatten()
    }
}

impl FromIterator<Acl> for Acls {
    fn from_iter<I: IntoIterator<Item = Acl>>(acls: I) -> Self {
        let all: BTreeSet<Acl> = acls.into_iter().collect();
        let mut by_type: BTreeMap<ResourceType, OfType> = BTreeMap::new();
        for acl in &all {
            let of_type = by_type.entry(acl.resource_type).or_default();
            let named = match acl.pattern {
                PatternType::Literal => &mut of_type.literal,
                PatternType::Prefixed => {
                    of_type.prefix_lengths.insert(acl.name.len());
                    &mut of_type.prefixed
                }
            };
            named.entry(acl.name.clone()).or_default().push(acl.clone());
        }
        Self { all, by_type }
    }
}

impl Acls {
    pub(crate) fn all(&self) -> &BTreeSet<Acl> {
        &self.all
    }

    /// What the entries say: a denial wins over everything else.
    pub(crate) fn verdict(
        &self,
        principal: &str,
        host: &str,
        operation: Operation,
        resource: (ResourceType, &str),
    ) -> Verdict {
        let mut verdict = Verdict::Unmentioned;
        let Some(of_type) = self.by_type.get(&resource.0) else {
            return verdict;
        };
        for acl in of_type.about(resource.1) {
            if verdict == Verdict::Unmentioned {
                verdict = Verdict::Denied;
            }
            if acl.is_for(principal, host) {
                if acl.denies(operation) {
                    return Verdict::Denied;
                }
                if acl.allows(operation) {
                    verdict = Verdict::Allowed;
                }
            }
        }
        verdict
    }

    /// Whether there may be a resource of a type on which the operation is allowed: some
    /// entry allows it, and no denial covers all that the entry gives.
    pub(crate) fn allows_some(
        &self,
        principal: &str,
        host: &str,
        operation: Operation,
        resource_type: ResourceType,
    ) -> Verdict {
        let Some(of_type) = self.by_type.get(&resource_type) else {
            return Verdict::Unmentioned;
        };
        let mine = || {
            let literal = of_type.literal.values().flatten();
            literal
                .chain(of_type.prefixed.values().flatten())
                .filter(|acl| acl.is_for(principal, host))
        };
        let denials: Vec<&Acl> = mine().filter(|acl| acl.denies(operation)).collect();
        let is_everything = |acl: &Acl| acl.pattern == PatternType::Literal && acl.name == WILDCARD;
        if denials.iter().any(|denial| is_everything(denial)) {
            return Verdict::Denied;
        }
        let covered = |acl: &Acl| {
            denials.iter().any(|denial| match denial.pattern {
                PatternType::Prefixed => !is_everything(acl) && acl.name.starts_with(&denial.name),
                PatternType::Literal => {
                    acl.pattern == PatternType::Literal && acl.name == denial.name
                }
            })
        };
        match mine().any(|acl| acl.allows(operation) && !covered(acl)) {
            true => Verdict::Allowed,
            false => Verdict::Unmentioned,
        }
    }
}

#[cfg(test)]
mod tests {
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

    fn allow(name: &str, pattern: PatternType, operation: Operation) -> Acl {
        acl(name, pattern, operation, Permission::Allow)
    }

    fn deny(name: &str, pattern: PatternType, operation: Operation) -> Acl {
        acl(name, pattern, operation, Permission::Deny)
    }

    fn verdict(acls: &[Acl], operation: Operation, topic: &str) -> Verdict {
        let acls: Acls = acls.iter().cloned().collect();
        acls.verdict(
            "User:alice",
            "10.0.0.1",
            operation,
            (ResourceType::Topic, topic),
        )
    }

    use Operation::{All, AlterConfigs, Describe, DescribeConfigs, Read, Write};
    use PatternType::{Literal, Prefixed};
    use Verdict::{Allowed, Denied, Unmentioned};

    #[test]
    fn patterns() {
        let literal = [allow("a", Literal, Read)];
        assert_eq!(verdict(&literal, Read, "a"), Allowed);
        assert_eq!(verdict(&literal, Write, "a"), Denied);
        assert_eq!(verdict(&literal, Read, "ab"), Unmentioned);
        let prefixed = [allow("bank.", Prefixed, Read)];
        assert_eq!(verdict(&prefixed, Read, "bank.loans"), Allowed);
        assert_eq!(verdict(&prefixed, Read, "bank."), Allowed);
        assert_eq!(verdict(&prefixed, Read, "ban"), Unmentioned);
        let wildcard = [allow("*", Literal, Read)];
        assert_eq!(verdict(&wildcard, Read, "any"), Allowed);
        // A star is only a wildcard in a literal.
        assert_eq!(
            verdict(&[allow("*", Prefixed, Read)], Read, "any"),
            Unmentioned
        );
        // A prefix may end within a character of a name.
        assert_eq!(
            verdict(&[allow("é", Prefixed, Read)], Read, "aé"),
            Unmentioned
        );
    }

    #[test]
    fn a_denial_wins_whatever_the_patterns() {
        let acls = [
            allow("bank.loans", Literal, All),
            deny("bank.", Prefixed, Write),
        ];
        assert_eq!(verdict(&acls, Read, "bank.loans"), Allowed);
        assert_eq!(verdict(&acls, Write, "bank.loans"), Denied);
        let all = [allow("t", Literal, All), deny("*", Literal, All)];
        assert_eq!(verdict(&all, Describe, "t"), Denied);
    }

    #[test]
    fn operations_imply_others_when_allowed_and_not_when_denied() {
        for operation in [Read, Write, Operation::Delete, Operation::Alter, All] {
            assert_eq!(
                verdict(&[allow("t", Literal, operation)], Describe, "t"),
                Allowed
            );
        }
        let configs = [allow("t", Literal, AlterConfigs)];
        assert_eq!(verdict(&configs, DescribeConfigs, "t"), Allowed);
        assert_eq!(verdict(&configs, Describe, "t"), Denied);
        let denied = [allow("t", Literal, Describe), deny("t", Literal, Read)];
        assert_eq!(verdict(&denied, Describe, "t"), Allowed);
    }

    #[test]
    fn principals_and_hosts() {
        let mut entry = allow("t", Literal, Read);
        entry.host = "10.0.0.1".to_owned();
        assert_eq!(verdict(&[entry.clone()], Read, "t"), Allowed);
        entry.host = "10.0.0.2".to_owned();
        assert_eq!(verdict(&[entry.clone()], Read, "t"), Denied);
        entry.host = WILDCARD.to_owned();
        entry.principal = "User:bob".to_owned();
        assert_eq!(verdict(&[entry.clone()], Read, "t"), Denied);
        entry.principal = "User:*".to_owned();
        assert_eq!(verdict(&[entry], Read, "t"), Allowed);
    }

    #[test]
    fn something_of_a_type() {
        let some = |acls: &[Acl]| {
            let acls: Acls = acls.iter().cloned().collect();
            acls.allows_some("User:alice", "h", Write, ResourceType::Topic)
        };
        assert_eq!(some(&[]), Unmentioned);
        assert_eq!(some(&[allow("t", Literal, Write)]), Allowed);
        assert_eq!(some(&[allow("t", Literal, Read)]), Unmentioned);
        let allowed = allow("bank.a", Prefixed, Write);
        assert_eq!(
            some(&[allowed.clone(), deny("bank.", Prefixed, All)]),
            Unmentioned
        );
        assert_eq!(
            some(&[allowed.clone(), deny("bank.a", Literal, All)]),
            Allowed
        );
        assert_eq!(
            some(&[allowed.clone(), deny("bank.ab", Prefixed, All)]),
            Allowed
        );
        assert_eq!(some(&[allowed, deny("*", Literal, Write)]), Denied);
    }

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
