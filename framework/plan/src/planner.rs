//! From wish, state and ledger to a plan: pure, and the same every time.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Action, Resource, SettingChange};
use crate::ledger::{Ledger, Owned};
use crate::plan::{Plan, Standing, Step};
use crate::scope::Scope;
use crate::state::{State, SubjectState, TopicState};
use crate::wish::{Wish, Wished};

pub(crate) const CLEANUP: &str = "cleanup.policy";

/// What somebody has allowed beyond what a plan does by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Partitions may be added to topics with records, though keys change their places.
    pub repartition: bool,
    /// Topics that may be deleted or replaced with what belongs to them.
    pub confirmed: BTreeSet<String>,
}

/// The order of steps: what must be there before the next can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Topics,
    Levels,
    Schemas,
    Products,
    RemovedProducts,
    RemovedSubjects,
    RemovedTopics,
}

fn phase(action: &Action) -> Phase {
    match action {
        Action::CreateTopic { .. }
        | Action::ReplaceTopic { .. }
        | Action::AddPartitions { .. }
        | Action::AlterConfigs { .. } => Phase::Topics,
        Action::SetCompatibility { .. } => Phase::Levels,
        Action::RegisterSchema { .. } => Phase::Schemas,
        Action::RegisterProduct(_) | Action::DeprecateProduct(_) | Action::RetireProduct(_) => {
            Phase::Products
        }
        Action::DeleteProduct { .. } => Phase::RemovedProducts,
        Action::DeleteSubject { .. } => Phase::RemovedSubjects,
        Action::DeleteTopic { .. } => Phase::RemovedTopics,
    }
}

/// The steps from `state` to `wish`. Only what `ledger` says was made by earlier runs is ever
/// deleted, and only for domains that the wish speaks for.
pub fn plan(wish: &Wish, state: &State, ledger: &Ledger, allowed: &Allowed) -> Plan {
    let mut planner = Planner {
        state,
        ledger,
        allowed,
        steps: Vec::new(),
    };
    for product in &wish.products {
        planner.topic(product);
        planner.subjects(product);
        planner.entry(product);
    }
    planner.unwished(wish);
    let mut steps = planner.steps;
    // Stable: within a phase the steps keep the order of the products.
    steps.sort_by_key(|step| phase(&step.action));
    let scope = Scope::of(wish, ledger);
    Plan {
        products: wish.products.len(),
        state: state.fingerprints(&scope),
        scope,
        steps,
    }
}

/// What earlier runs have made for the domains of `wish` and it wishes no more.
pub(crate) fn unwished<'a>(
    wish: &Wish,
    ledger: &'a Ledger,
) -> impl Iterator<Item = (&'a Resource, &'a Owned)> {
    let topics: BTreeSet<String> = wish.topics().into_iter().map(str::to_owned).collect();
    let domains = wish.domains.clone();
    ledger
        .owned
        .iter()
        .filter(move |(_, owned)| domains.contains(&owned.domain) && !topics.contains(&owned.topic))
}

struct Planner<'a> {
    state: &'a State,
    ledger: &'a Ledger,
    allowed: &'a Allowed,
    steps: Vec<Step>,
}

impl Planner<'_> {
    fn step(&mut self, product: &Wished, action: Action, reason: String, standing: Standing) {
        let there = self.state.has(&action.resource());
        self.steps.push(Step {
            product: format!("{} {}", product.id(), product.version()),
            domain: product.id().domain,
            topic: product.descriptor.topic.as_str().to_owned(),
            change: action.change(there),
            action,
            reason,
            standing,
        });
    }

    fn topic(&mut self, product: &Wished) {
        let spec = product.topic();
        let Some(found) = self.state.topics.get(&spec.name) else {
            let action = Action::CreateTopic {
                topic: spec.name,
                partitions: spec.partitions,
                configs: spec.configs,
            };
            let reason = "the product has no topic yet".to_owned();
            return self.step(product, action, reason, Standing::Ready);
        };
        let changes = changes(&spec.configs, found);
        let kind = changes.get(CLEANUP).is_some_and(|change| {
            compacts(change.from.as_deref()) != compacts(change.to.as_deref())
        });
        let records = found.records.unwrap_or(true);
        if found.partitions > spec.partitions || (kind && records) {
            let mut why = Vec::new();
            if found.partitions > spec.partitions {
                why.push(format!(
                    "it has {} partitions and the contract wishes {}, and Kafka takes none away",
                    found.partitions, spec.partitions
                ));
            }
            if kind && records {
                why.push(
                    "records that were written as facts cannot be read as rows that replace \
                     each other, nor the other way round"
                        .to_owned(),
                );
            }
            let standing = self.replacement(&spec.name, found.partitions > spec.partitions);
            let action = Action::ReplaceTopic {
                topic: spec.name,
                partitions: spec.partitions,
                configs: spec.configs,
            };
            return self.step(product, action, why.join("; "), standing);
        }
        if found.partitions < spec.partitions {
            let standing = match records && !self.allowed.repartition {
                true => Standing::Refused {
                    why: "the topic holds records, and a key's later records would stand in \
                          another partition than its earlier ones: their order is lost, and a \
                          state product may keep an old row"
                        .to_owned(),
                    way_out: "publish it as a new major version with more partitions; or, where \
                              order across the change does not matter, allow it with \
                              --allow-repartition"
                        .to_owned(),
                },
                false => Standing::Ready,
            };
            let action = Action::AddPartitions {
                topic: spec.name.clone(),
                from: found.partitions,
                to: spec.partitions,
            };
            let reason = format!(
                "the contract wishes {} partitions (`mesh.partitions`)",
                spec.partitions
            );
            self.step(product, action, reason, standing);
        }
        if !changes.is_empty() {
            let names: Vec<&str> = changes.keys().map(String::as_str).collect();
            let reason = format!("the contract says otherwise of {}", names.join(", "));
            let action = Action::AlterConfigs {
                topic: spec.name,
                changes,
            };
            self.step(product, action, reason, Standing::Ready);
        }
    }

    /// Whether a topic may be deleted and made anew.
    fn replacement(&self, topic: &str, fewer: bool) -> Standing {
        let resource = Resource::Topic(topic.to_owned());
        let owned = self.ledger.owned.contains_key(&resource);
        if owned && self.allowed.confirmed.contains(topic) {
            return Standing::Ready;
        }
        let or = match fewer {
            true => {
                let found = self.state.topics.get(topic);
                let has = found.map_or(0, |topic| topic.partitions);
                format!("write the topic's number in the contract, `mesh.partitions`: {has}")
            }
            false => "make `mesh.kind` what it was".to_owned(),
        };
        let (why, way_out) = match owned {
            true => (
                "it can only be deleted with all its records and made anew",
                format!(
                    "publish it as a new major version; or {or}; or, where the records are not \
                     needed, say so with --confirm {topic}"
                ),
            ),
            false => (
                "it would have to be deleted, and no apply has made it",
                format!("publish it as a new major version; or {or}"),
            ),
        };
        Standing::Refused {
            why: why.to_owned(),
            way_out,
        }
    }

    fn subjects(&mut self, product: &Wished) {
        let none = SubjectState::default();
        let value = product.descriptor.topic.value_subject();
        for (subject, schema) in product.schemas() {
            let found = self.state.subjects.get(&subject).unwrap_or(&none);
            // The level stands on the values alone: keys of a topic never change.
            let level = &product.descriptor.contract.compatibility;
            let levelled = subject == value && found.level != *level;
            if levelled {
                let action = Action::SetCompatibility {
                    subject: subject.clone(),
                    from: found.level.clone(),
                    to: level.clone(),
                };
                let reason = "the contract says which changes its readers are spared \
                              (`mesh.compatibility`)";
                self.step(product, action, reason.to_owned(), Standing::Ready);
            }
            if found.wished.is_some() {
                continue;
            }
            let standing = match &found.verdict {
                Some(verdict) if !verdict.compatible => Standing::Refused {
                    why: match verdict.reasons.is_empty() {
                        true => format!("the registry refuses it under {}", found.level),
                        false => format!(
                            "the registry refuses it under {}: {}",
                            found.level,
                            verdict.reasons.join(" | ")
                        ),
                    },
                    way_out: match levelled {
                        true => format!(
                            "set the level to {level} by itself first, then change the columns; or \
                             publish it as a new major version beside this one"
                        ),
                        false => "make the change one that old readers and writers bear, such as \
                                  a column that may be null; or publish it as a new major version \
                                  beside this one"
                            .to_owned(),
                    },
                },
                _ => Standing::Ready,
            };
            let reason = match found.versions.len() {
                0 => "the subject has no schema yet".to_owned(),
                count => {
                    format!("no version of the subject has the contract's columns ({count} so far)")
                }
            };
            let action = Action::RegisterSchema {
                versions: found.versions.len(),
                schema: schema.to_owned(),
                subject,
            };
            self.step(product, action, reason, standing);
        }
    }

    fn entry(&mut self, product: &Wished) {
        let entry = product.entry();
        let found = self.state.products.get(&product.resource());
        let of = |status: &str| match status {
            "deprecated" => Action::DeprecateProduct,
            "retired" => Action::RetireProduct,
            _ => Action::RegisterProduct,
        };
        let action = of(&entry.status)(entry.clone());
        let Some(found) = found else {
            let reason = match entry.status.as_str() {
                status @ ("deprecated" | "retired") => {
                    format!("the contract says that the product is {status}")
                }
                _ => "the catalog does not know this version".to_owned(),
            };
            return self.step(product, action, reason, Standing::Ready);
        };
        if found.contract_text != entry.contract_text {
            let standing = Standing::Refused {
                why: "a version keeps its contract for ever, and this one is registered with \
                      another text"
                    .to_owned(),
                way_out: "raise `version` in the contract, and in the product's output port that \
                          names it: the patch for words, the minor for additions, the major for \
                          anything that breaks a reader"
                    .to_owned(),
            };
            let reason = "the contract was changed under the same version".to_owned();
            return self.step(product, action, reason, standing);
        }
        let ids: Vec<Option<u32>> = product
            .schemas()
            .iter()
            .map(|(subject, _)| self.state.subjects.get(subject)?.wished)
            .collect();
        let (key, value) = match ids.as_slice() {
            [key, value] => (*key, *value),
            [value] => (Some(0), *value),
            _ => (None, None),
        };
        let mut why = Vec::new();
        if found.product_text != entry.product_text {
            why.push("the product file was changed");
        }
        // What is not registered yet has no id to compare.
        let stale = |wished: Option<u32>, found: u32| wished.is_none_or(|id| id != found);
        if stale(key, found.key_schema_id) || stale(value, found.value_schema_id) {
            why.push("its schemas have other ids now");
        }
        if !why.is_empty() {
            let reason = why.join(", and ");
            self.step(
                product,
                Action::RegisterProduct(entry),
                reason,
                Standing::Ready,
            );
        }
    }

    fn unwished(&mut self, wish: &Wish) {
        for (resource, owned) in unwished(wish, self.ledger) {
            if !self.state.has(resource) {
                continue;
            }
            let action = match resource {
                Resource::Topic(topic) => Action::DeleteTopic {
                    topic: topic.clone(),
                },
                Resource::Subject(subject) => Action::DeleteSubject {
                    subject: subject.clone(),
                },
                Resource::Product(name) => {
                    let Some((id, version)) = name.split_once('@') else {
                        continue;
                    };
                    let Some((domain, product)) = id.split_once('.') else {
                        continue;
                    };
                    Action::DeleteProduct {
                        domain: domain.to_owned(),
                        product: product.to_owned(),
                        version: version.to_owned(),
                    }
                }
            };
            let standing = match self.allowed.confirmed.contains(&owned.topic) {
                true => Standing::Ready,
                false => Standing::Waiting {
                    confirm: owned.topic.clone(),
                },
            };
            self.steps.push(Step {
                product: owned.topic.clone(),
                domain: owned.domain.clone(),
                topic: owned.topic.clone(),
                change: action.change(true),
                action,
                reason: format!(
                    "an apply of {} made it, and no folder wishes it any more",
                    owned.by
                ),
                standing,
            });
        }
    }
}

/// The settings that differ, by name.
fn changes(
    wished: &BTreeMap<String, String>,
    found: &TopicState,
) -> BTreeMap<String, SettingChange> {
    let mut changes = BTreeMap::new();
    for (name, to) in wished {
        let from = found.settings.get(name);
        if from.is_some_and(|from| same(name, from, to)) {
            continue;
        }
        changes.insert(
            name.clone(),
            SettingChange {
                from: from.cloned(),
                to: Some(to.clone()),
            },
        );
    }
    changes
}

/// Whether two values of a setting mean the same: policies are a set.
fn same(name: &str, one: &str, other: &str) -> bool {
    if name != CLEANUP {
        return one == other;
    }
    let set = |text: &str| -> BTreeSet<String> {
        text.split(',').map(|word| word.trim().to_owned()).collect()
    };
    set(one) == set(other)
}

pub(crate) fn compacts(policy: Option<&str>) -> bool {
    policy.is_some_and(|policy| policy.split(',').any(|word| word.trim() == "compact"))
}
