//! What the entries of all access control lists say about a request.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::acl::{Acl, Operation, PatternType, ResourceType, WILDCARD};

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
    use crate::security::acl::tests::{allow, deny};

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
}
