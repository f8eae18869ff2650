//! What contracts and products share: people, channels, links, free properties.

use serde_json::Value as Json;

use super::edition::NEVER;
use super::model::{Part, model};
use crate::node::{Map, Node, Reader, Value};

model! {
    /// A property that the standard does not know.
    pub struct CustomProperty {
        id = "id": id, "its stable id.";
        property = "property": req<String>, "its name, in camel case.";
        value = "value": req<Json>, "its value, of any kind.";
        description = "description": opt<String> [31, 0], "what it is.";
        vendor = "vendor": opt<String> [32, 11], "whose property it is.";
    }

    /// A link to where something is told with authority.
    pub struct AuthoritativeDefinition {
        id = "id": id, "its stable id.";
        url = "url": req<String>, "where it stands.";
        kind = "type": req<String>, "what it is, such as `businessDefinition`.";
        description = "description": opt<String> [31, 0], "a word about it.";
    }

    /// Why the data exist and how they may be used.
    pub struct Description check description {
        purpose = "purpose": opt<String>, "what they are for.";
        limitations = "limitations": opt<String>, "what they are not good for.";
        usage = "usage": opt<String>, "how to use them.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
    }

    /// Another name for the same thing.
    pub struct Synonym check custom {
        id = "id": id, "its stable id.";
        synonym = "synonym": req<String>, "the other name.";
        description = "description": opt<String>, "when it is used.";
        locale = "locale": opt<String>, "its language, a BCP 47 tag.";
        source = "source": opt<String>, "where it comes from.";
        status = "status": opt<String>, "its status, such as `active`.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
    }

    /// Guidance for machines that read the data.
    pub struct Context check context {
        instructions = "instructions": opt<String>, "how to use the data, in words.";
        verified_statements = "verifiedStatements": list<VerifiedStatement>, "questions with checked answers.";
        constraints = "constraints": list<Constraint>, "what must not be done.";
    }

    /// A question that the data answer.
    pub struct VerifiedStatement check custom {
        id = "id": opt<String>, "its stable id.";
        question = "question": req<String>, "the question.";
        answer = "answer": opt<String>, "the checked answer.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        tags = "tags": list<String>, "free tags.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
    }

    /// Something that must not be done with the data.
    pub struct Constraint check custom {
        id = "id": opt<String>, "its stable id.";
        constraint = "constraint": req<String>, "what must not be done.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        tags = "tags": list<String>, "free tags.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
    }

    /// A channel for questions and news.
    pub struct Support check support {
        id = "id": id, "its stable id.";
        channel = "channel": req<String>, "its name.";
        url = "url": opt<String>, "its address.";
        description = "description": opt<String>, "a word about it.";
        tool = "tool": opt<String>, "`email`, `slack`, `teams` and the like.";
        scope = "scope": opt<String>, "`interactive`, `announcements`, `issues` and the like.";
        invitation_url = "invitationUrl": opt<String>, "where to ask for access.";
        tags = "tags": list<String> [NEVER, 10], "free tags.";
        custom_properties = "customProperties": list<CustomProperty> [31, 10], "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition> [NEVER, 10], "links.";
    }

    /// The team that owns the data.
    pub struct Team check team {
        id = "id": id [31, NEVER], "its stable id.";
        name = "name": opt<String>, "its name.";
        description = "description": opt<String>, "what it does.";
        members = "members": list<TeamMember>, "its members.";
        tags = "tags": list<String>, "free tags.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
    }

    /// A member of a team.
    pub struct TeamMember check custom {
        id = "id": id, "its stable id.";
        username = "username": req<String>, "the user name or e-mail address.";
        name = "name": opt<String>, "the name for people.";
        description = "description": opt<String>, "a word about the member.";
        role = "role": opt<String>, "`owner`, `steward` and the like.";
        date_in = "dateIn": opt<String>, "the day of joining.";
        date_out = "dateOut": opt<String>, "the day of leaving.";
        replaced_by_username = "replacedByUsername": opt<String>, "who came after.";
        tags = "tags": list<String> [31, 10], "free tags.";
        custom_properties = "customProperties": list<CustomProperty> [31, 10], "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition> [31, 10], "links.";
    }
}

/// Checks the lists that every part may have.
pub(crate) fn custom(map: &Map<'_>) {
    map.unique("customProperties", &["property", "vendor"]);
    for list in ["customProperties", "authoritativeDefinitions"] {
        map.unique(list, &["id"]);
    }
}

fn description(map: &Map<'_>) {
    custom(map);
}

fn context(map: &Map<'_>) {
    map.unique("verifiedStatements", &["id"]);
    map.unique("constraints", &["id"]);
}

fn support(map: &Map<'_>) {
    custom(map);
    let optional = match map.reader.edition() {
        super::Edition::Contract(version) => version >= 31,
        super::Edition::Product(_) => false,
    };
    if !optional && !map.has("url") {
        map.missing("url");
    }
}

fn team(map: &Map<'_>) {
    custom(map);
    map.unique("members", &["id"]);
}

/// The team of a contract: an object, or in the older form the list of its members.
#[derive(Debug, Clone, PartialEq)]
pub enum TeamBlock {
    /// The team with its name, from v3.1.0 on.
    Team(Team),
    /// Members alone.
    Members(Vec<TeamMember>),
}

impl TeamBlock {
    /// The team's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Team(team) => team.name.as_deref(),
            Self::Members(_) => None,
        }
    }

    /// The members.
    pub fn members(&self) -> &[TeamMember] {
        match self {
            Self::Team(team) => &team.members,
            Self::Members(members) => members,
        }
    }
}

impl Part for TeamBlock {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        let old = reader.edition().contract_before(31);
        match &node.value {
            Value::Seq(_) => Part::read(reader, node, path).map(Self::Members),
            Value::Map(_) if !old => Part::read(reader, node, path).map(Self::Team),
            _ if old => {
                reader.wrong(
                    node,
                    path,
                    "a list of members",
                    "write `- username: …` lines, or `apiVersion: v3.1.0`",
                );
                None
            }
            _ => {
                reader.wrong(node, path, "a mapping", "write `name: …` and `members:`");
                None
            }
        }
    }

    fn write(&self) -> Json {
        match self {
            Self::Team(team) => team.write(),
            Self::Members(members) => members.write(),
        }
    }
}

/// The context of a contract: a text, or a block.
#[derive(Debug, Clone, PartialEq)]
pub enum ContextBlock {
    /// Instructions alone.
    Text(String),
    /// Instructions, statements and constraints.
    Block(Context),
}

impl Part for ContextBlock {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        let contract = matches!(reader.edition(), super::Edition::Contract(_));
        match &node.value {
            Value::Str(text) if contract => Some(Self::Text(text.clone())),
            Value::Map(_) => Part::read(reader, node, path).map(Self::Block),
            _ => {
                reader.wrong(node, path, "a mapping", "write `instructions: …` below it");
                None
            }
        }
    }

    fn write(&self) -> Json {
        match self {
            Self::Text(text) => text.write(),
            Self::Block(block) => block.write(),
        }
    }
}
