//! Changes of a contract outside of its record type.

use serde_json::Value as Json;

use super::change::{Area, Change, File, Reads, Trend, What};
use super::{levels, rules, schema, words};
use crate::contract::{Contract, Description, Server, Support, Team, TeamMember};

/// The changes between two versions of a contract.
pub(super) fn compare(old: &Contract, new: &Contract, out: &mut Vec<Change>) {
    // Every field is named, so that a new one of the model does not go unnoticed.
    let Contract {
        id,
        name,
        version,
        status,
        domain,
        product,
        description,
        tags,
        schema,
        servers,
        team,
        support,
        service_levels,
        retention,
        // Compared as service levels.
        lifecycle: _,
        compatibility,
        roles,
        custom,
        document,
    } = new;
    let file = File::Contract;
    let new_major = old.version.major != version.major;
    identity(
        "id",
        &old.id,
        id,
        "readers name the contract by its id in their input ports",
        out,
    );
    identity(
        "domain",
        &old.domain,
        domain,
        "the topic and the SQL schema are named after it",
        out,
    );
    if old.product != *product && old.domain == *domain {
        identity(
            "schema.physicalName",
            &old.product,
            product,
            "the topic and the SQL table are named after the product",
            out,
        );
    }
    let moved = new_major || old.domain != *domain || old.product != *product;
    words::words(file, "name", old.name.as_deref(), name.as_deref(), out);
    lifecycle(file, &old.status, status, new_major, out);
    self::description(file, &old.description, description, out);
    words::list(file, "tags", &old.tags, tags, out);
    schema::compare(&old.schema, schema, moved, out);
    self::servers(&old.servers, servers, out);
    let nobody = Team::default();
    self::team(
        file,
        old.team.as_ref().unwrap_or(&nobody),
        team.as_ref().unwrap_or(&nobody),
        out,
    );
    self::support(file, &old.support, support, out);
    levels::compare(&old.service_levels, service_levels, out);
    levels::retention(old.retention, *retention, out);
    levels::compatibility(&old.compatibility, compatibility, out);
    rules::roles(&old.roles, roles, out);
    words::custom(file, "", &old.custom, custom, out);
    // The topic was compared above: it follows from the domain and the version.
    let [before, after] = [&old.document, document].map(|document| {
        let mut document = document.to_json();
        if let Some(schema) = document
            .pointer_mut("/schema/0")
            .and_then(Json::as_object_mut)
        {
            schema.remove("physicalName");
        }
        document
    });
    words::rest(file, &before, &after, out);
}

fn identity(path: &str, old: &str, new: &str, why: &str, out: &mut Vec<Change>) {
    if old != new {
        out.push(
            Change::of(path, What::Changed, Reads::NEITHER, why)
                .moved(Some(old.to_owned()), Some(new.to_owned()))
                .effect(Area::Topic, Trend::Different)
                .mend("keep it, or make a product of its own"),
        );
    }
}

/// Where a status stands in the life of a product.
fn stage(status: &str) -> u8 {
    match status {
        "active" => 1,
        "deprecated" => 2,
        "retired" => 3,
        // Proposed and draft: nothing is promised yet.
        _ => 0,
    }
}

/// Whether a product of this status is not in force yet, so that nobody relies on it.
pub(super) fn is_draft(status: &str) -> bool {
    stage(status) == 0
}

/// A move of the status, which has one direction inside a major.
pub(super) fn lifecycle(file: File, old: &str, new: &str, new_major: bool, out: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let told = Some(old.to_owned());
    let (before, after) = (stage(old), stage(new));
    if new_major || before == after {
        let change = Change::words(file, "status", What::Changed);
        out.push(change.moved(told, Some(new.to_owned())));
        return;
    }
    let of = |reads, trend, why: &str| {
        Change::of("status", What::Changed, reads, why).effect(Area::Lifecycle, trend)
    };
    let change = match (before, after) {
        (0, 1) => of(
            Reads::BOTH,
            Trend::Stronger,
            "the product is in force from now on",
        )
        .nobody(),
        // What never was in force has no readers.
        (0, _) => of(
            Reads::BOTH,
            Trend::Weaker,
            "the product ends before it was in force",
        )
        .nobody(),
        (1, 2) => of(
            Reads::BOTH,
            Trend::Weaker,
            "it is read as before, and its end is announced",
        )
        .mend("say when with the service levels `endOfSupport` and `endOfLife`"),
        (2, 3) => of(
            Reads::NEW_ONLY,
            Trend::Weaker,
            "reads fail from now on; every reader has to move first",
        )
        .mend("see that the readers that are named have moved"),
        (1, 3) => of(
            Reads::NEITHER,
            Trend::Weaker,
            "readers had no notice that the product ends",
        )
        .forbidden()
        .mend("write `status: deprecated` first, with the service level `endOfLife`"),
        _ => of(
            Reads::NEITHER,
            Trend::Different,
            "a product does not go back in its life; readers have acted on its status",
        )
        .forbidden()
        .mend(format!("keep `status: {old}`, or write the next major")),
    };
    out.push(change.moved(told, Some(new.to_owned())).file(file));
}

pub(super) fn description(file: File, old: &Description, new: &Description, out: &mut Vec<Change>) {
    let Description {
        purpose,
        limitations,
        usage,
    } = new;
    for (path, before, after) in [
        ("description.purpose", &old.purpose, purpose),
        ("description.limitations", &old.limitations, limitations),
        ("description.usage", &old.usage, usage),
    ] {
        words::words(file, path, before.as_deref(), after.as_deref(), out);
    }
}

/// Pairs the items of two lists by a name.
fn paired<'a, T>(
    old: &'a [T],
    new: &'a [T],
    name: impl Fn(&T) -> &str,
) -> Vec<(Option<&'a T>, Option<&'a T>)> {
    let mut pairs: Vec<(Option<&T>, Option<&T>)> = old
        .iter()
        .map(|before| {
            (
                Some(before),
                new.iter().find(|after| name(after) == name(before)),
            )
        })
        .collect();
    pairs.extend(
        new.iter()
            .filter(|after| old.iter().all(|before| name(before) != name(after)))
            .map(|after| (None, Some(after))),
    );
    pairs
}

fn servers(old: &[Server], new: &[Server], out: &mut Vec<Change>) {
    let file = File::Contract;
    for (before, after) in paired(old, new, |server| &server.server) {
        let Some(name) = before.or(after).map(|server| server.server.as_str()) else {
            continue;
        };
        let path = format!("servers.{name}");
        let host = |server: Option<&Server>| server.map(|server| server.host.clone());
        let (was, is) = (host(before), host(after));
        if was != is {
            let (what, why) = match (&was, &is) {
                (None, _) => (What::Added, "the product stands on one more cluster"),
                (_, None) => (
                    What::Removed,
                    "readers of this cluster have to connect to another",
                ),
                _ => (What::Changed, "readers have to connect to another address"),
            };
            let path = match what {
                What::Changed => format!("{path}.host"),
                _ => path.clone(),
            };
            let change = Change::of(path, what, Reads::BOTH, why)
                .moved(was, is)
                .effect(Area::Topic, Trend::Different);
            out.push(match what {
                What::Added => change.nobody(),
                _ => change.mend("keep both until the readers that are named have moved"),
            });
        }
        if let (Some(before), Some(after)) = (before, after) {
            let Server {
                server: _,
                host: _,
                environment,
                description,
            } = after;
            for (step, old, new) in [
                ("environment", &before.environment, environment),
                ("description", &before.description, description),
            ] {
                let path = format!("{path}.{step}");
                words::words(file, &path, old.as_deref(), new.as_deref(), out);
            }
        }
    }
}

pub(super) fn team(file: File, old: &Team, new: &Team, out: &mut Vec<Change>) {
    let Team {
        name,
        description,
        members,
    } = new;
    if old.name != *name {
        let owned = Change::words(file, "team.name", What::Changed);
        out.push(Change {
            why: "another team answers for it; records are read as before".into(),
            ..owned
                .moved(old.name.clone(), name.clone())
                .effect(Area::Ownership, Trend::Different)
        });
    }
    words::words(
        file,
        "team.description",
        old.description.as_deref(),
        description.as_deref(),
        out,
    );
    let shown = |member: Option<&TeamMember>| {
        member.map(
            |TeamMember {
                 username,
                 name,
                 role,
             }| {
                let words = [Some(username), name.as_ref(), role.as_ref()];
                words
                    .into_iter()
                    .flatten()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        )
    };
    for (before, after) in paired(&old.members, members, |member| &member.username) {
        let Some(member) = before.or(after) else {
            continue;
        };
        let path = format!("team.members.{}", member.username);
        let (before, after) = (shown(before), shown(after));
        words::words(file, &path, before.as_deref(), after.as_deref(), out);
    }
}

pub(super) fn support(file: File, old: &[Support], new: &[Support], out: &mut Vec<Change>) {
    let shown = |support: Option<&Support>| {
        support.map(|support| {
            let Support {
                channel,
                url,
                description,
                tool,
            } = support;
            let words = [
                Some(channel),
                tool.as_ref(),
                url.as_ref(),
                description.as_ref(),
            ];
            words
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        })
    };
    for (before, after) in paired(old, new, |support| &support.channel) {
        let Some(support) = before.or(after) else {
            continue;
        };
        let path = format!("support.{}", support.channel);
        let (before, after) = (shown(before), shown(after));
        words::words(file, &path, before.as_deref(), after.as_deref(), out);
    }
}
