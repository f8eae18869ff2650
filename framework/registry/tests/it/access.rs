//! Logins, and what those who log in may do.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mesh_registry::{Database, Grant, Registry, RegistryConfig, add_token, remove_user, set_user};
use serde_json::{Value, json};

use crate::harness::{Reply, Server, read};

fn grants(texts: &[&str]) -> Vec<Grant> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

struct Guarded {
    server: Server,
    file: PathBuf,
    client: reqwest::Client,
}

/// How a request logs in.
#[derive(Clone, Copy)]
enum Login<'a> {
    No,
    User(&'a str, &'a str),
    Token(&'a str),
    Raw(&'a str),
}

impl Guarded {
    /// A registry with the users `admin`, `loan` and `reader`, whose passwords are their
    /// names backwards.
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users.json");
        for (name, password, may) in [
            ("admin", "nimda", &["admin"] as &[&str]),
            (
                "loan",
                "naol",
                &["write:loan.", "read:bank.", "write:loan-alias"],
            ),
            ("reader", "redaer", &["read:loan."]),
        ] {
            set_user(&file, name, password, grants(may)).unwrap();
        }
        let database = Database::file(directory.path().join("registry.db"));
        let mut config = RegistryConfig::new(database);
        config.users = Some(file.clone());
        Self {
            server: Server::start_on(directory, config).await,
            file,
            client: reqwest::Client::new(),
        }
    }

    async fn call(&self, login: Login<'_>, request: &str, body: &Value) -> (Reply, String) {
        let (method, path) = request.split_once(' ').unwrap();
        let url = format!("{}{path}", self.server.base);
        let mut request = self.client.request(method.parse().unwrap(), url);
        request = match login {
            Login::No => request,
            Login::User(name, password) => request.basic_auth(name, Some(password)),
            Login::Token(token) => request.bearer_auth(token),
            Login::Raw(header) => request.header("authorization", header),
        };
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        let challenge = challenge.map(|it| it.to_str().unwrap().to_owned());
        (read(response).await, challenge.unwrap_or_default())
    }

    async fn check(&self, login: Login<'_>, request: &str, body: Value, code: u16) -> Value {
        let (reply, challenge) = self.call(login, request, &body).await;
        assert_eq!(reply.status, code, "{request}: {}", reply.body);
        assert_eq!(
            code == 401,
            challenge.contains("Basic realm="),
            "{challenge}"
        );
        if code == 401 || code == 403 {
            assert_eq!(reply.body["error_code"], code, "{}", reply.body);
        }
        reply.body
    }
}

const ADMIN: Login<'_> = Login::User("admin", "nimda");
const LOAN: Login<'_> = Login::User("loan", "naol");
const READER: Login<'_> = Login::User("reader", "redaer");

#[tokio::test]
async fn only_who_logs_in_is_answered() {
    let guarded = Guarded::start().await;
    let token = add_token(&guarded.file, "ci", grants(&["read"])).unwrap();
    for (login, code) in [
        (Login::No, 401),
        (ADMIN, 200),
        (ADMIN, 200),
        (Login::User("admin", "nimd"), 401),
        (Login::User("admin", ""), 401),
        (Login::User("nobody", "nimda"), 401),
        (Login::User("loan", "nimda"), 401),
        (Login::Token(&token), 200),
        (Login::Token("nimda"), 401),
        (Login::Token(&token[1..]), 401),
        (Login::Raw("Basic"), 401),
        (Login::Raw("Basic !"), 401),
        (Login::Raw("Basic YWRtaW4="), 401),
        (Login::Raw("Digest admin"), 401),
    ] {
        for request in [
            "GET /subjects",
            "GET /",
            "GET /nothing",
            "GET /contexts/:.:/subjects",
        ] {
            let code = match (request, code) {
                ("GET /nothing", 200) => 404,
                _ => code,
            };
            guarded.check(login, request, Value::Null, code).await;
        }
    }
    // The file is read again: who was remembered is forgotten with a change.
    set_user(&guarded.file, "admin", "new", grants(&["admin"])).unwrap();
    guarded
        .check(ADMIN, "GET /subjects", Value::Null, 401)
        .await;
    let new = Login::User("admin", "new");
    guarded.check(new, "GET /subjects", Value::Null, 200).await;
    assert!(remove_user(&guarded.file, "ci").unwrap());
    assert!(!remove_user(&guarded.file, "ci").unwrap());
    guarded
        .check(Login::Token(&token), "GET /subjects", Value::Null, 401)
        .await;
    // A file that is broken changes nothing, and one that is gone lets nobody in.
    std::fs::write(&guarded.file, "{ half").unwrap();
    guarded.check(new, "GET /subjects", Value::Null, 200).await;
    std::fs::remove_file(&guarded.file).unwrap();
    guarded.check(new, "GET /subjects", Value::Null, 401).await;
}

#[tokio::test]
async fn roles_hold_for_the_subjects_they_are_granted_for() {
    let guarded = Guarded::start().await;
    let int = || json!({"schema": "\"int\""});
    let string = || json!({"schema": "\"string\""});
    let full = || json!({"compatibility": "FULL"});
    let mode = || json!({"mode": "READONLY"});
    let none = || Value::Null;
    for (login, request, body, code) in [
        (LOAN, "POST /subjects/loan.a/versions", int(), 200),
        (LOAN, "POST /subjects/bank.a/versions", string(), 403),
        (LOAN, "POST /subjects/:.x:loan.a/versions", int(), 403),
        (
            LOAN,
            "POST /contexts/.x/subjects/loan.a/versions",
            int(),
            403,
        ),
        (LOAN, "POST /subjects/:.:loan.a/versions", int(), 200),
        (ADMIN, "POST /subjects/bank.a/versions", string(), 200),
        (READER, "POST /subjects/loan.a/versions", int(), 403),
        (READER, "POST /subjects/loan.a", int(), 200),
        (READER, "POST /subjects/bank.a", string(), 403),
        (READER, "GET /subjects/loan.a/versions/1", none(), 200),
        (READER, "GET /subjects/bank.a/versions/1", none(), 403),
        (READER, "GET /subjects/none/versions/1", none(), 403),
        (READER, "GET /schemas/ids/1", none(), 200),
        (READER, "GET /schemas/ids/2", none(), 403),
        (READER, "GET /schemas/ids/2/schema", none(), 403),
        (READER, "GET /schemas/ids/9", none(), 404),
        (LOAN, "GET /schemas/ids/2", none(), 200),
        (
            READER,
            "POST /compatibility/subjects/loan.a/versions",
            int(),
            200,
        ),
        (
            READER,
            "POST /compatibility/subjects/bank.a/versions",
            int(),
            403,
        ),
        (READER, "GET /config", none(), 200),
        (
            READER,
            "GET /config/loan.a?defaultToGlobal=true",
            none(),
            200,
        ),
        (
            READER,
            "GET /config/bank.a?defaultToGlobal=true",
            none(),
            403,
        ),
        (READER, "PUT /config/loan.a", full(), 403),
        (LOAN, "PUT /config/loan.a", full(), 200),
        (LOAN, "PUT /config", full(), 403),
        (LOAN, "PUT /config/:.x:", full(), 403),
        (LOAN, "DELETE /config/loan.a", none(), 200),
        (LOAN, "PUT /mode/loan.a", mode(), 403),
        (LOAN, "DELETE /mode", none(), 403),
        (ADMIN, "PUT /mode/loan.b", mode(), 200),
        (READER, "DELETE /subjects/loan.a", none(), 403),
        (LOAN, "DELETE /subjects/loan.a", none(), 200),
        (LOAN, "DELETE /subjects/loan.a?permanent=true", none(), 403),
        (
            LOAN,
            "DELETE /subjects/loan.a/versions/1?permanent=true",
            none(),
            403,
        ),
        (LOAN, "DELETE /subjects/bank.a", none(), 403),
        (ADMIN, "DELETE /subjects/loan.a?permanent=true", none(), 200),
    ] {
        guarded.check(login, request, body, code).await;
    }
}

#[tokio::test]
async fn what_is_not_granted_is_not_shown_by_another_way() {
    let guarded = Guarded::start().await;
    for subject in ["a.1", "loan.1", "loan.2", "bank.1"] {
        let request = format!("POST /subjects/{subject}/versions");
        guarded
            .check(ADMIN, &request, json!({"schema": "\"int\""}), 200)
            .await;
    }
    for (request, expected) in [
        ("GET /subjects", json!(["loan.1", "loan.2"])),
        ("GET /subjects?offset=1&limit=1", json!(["loan.2"])),
        ("GET /subjects?subjectPrefix=bank", json!([])),
        ("GET /schemas/ids/1/subjects", json!(["loan.1", "loan.2"])),
        (
            "GET /schemas/ids/1/versions?limit=1",
            json!([{"subject": "loan.1", "version": 1}]),
        ),
        (
            "GET /schemas?limit=1&offset=1",
            json!([{"subject": "loan.2", "version": 1, "id": 1, "schema": "\"int\""}]),
        ),
    ] {
        let shown = guarded.check(READER, request, Value::Null, 200).await;
        assert_eq!(shown, expected, "{request}");
    }
    // Neither by a reference nor by an alias.
    for (subject, code) in [("a.1", 403), ("bank.1", 200)] {
        let body = json!({"schema": "\"int\"",
            "references": [{"name": "x", "subject": subject, "version": 1}]});
        let at = "POST /subjects/loan.3/versions";
        guarded.check(LOAN, at, body.clone(), code).await;
        let at = "POST /compatibility/subjects/loan.3/versions";
        guarded.check(LOAN, at, body, code).await;
    }
    let at = "PUT /config/loan-alias";
    guarded.check(LOAN, at, json!({"alias": "a.1"}), 403).await;
    guarded
        .check(LOAN, at, json!({"alias": "bank.1"}), 200)
        .await;
    let at = "GET /subjects/loan-alias/versions/1";
    guarded.check(LOAN, at, Value::Null, 200).await;
    let at = "POST /subjects/loan-alias/versions";
    guarded
        .check(LOAN, at, json!({"schema": "\"long\""}), 403)
        .await;
    guarded
        .check(ADMIN, "PUT /config/loan.x", json!({"alias": "a.1"}), 200)
        .await;
    let at = "GET /subjects/loan.x/versions/1";
    guarded.check(READER, at, Value::Null, 403).await;
}

#[tokio::test]
async fn the_file_of_users_holds_no_secret_and_is_refused_when_it_is_unfit() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users.json");
    set_user(
        &file,
        "loan",
        "s3cret-word",
        grants(&["write:loan.", "read"]),
    )
    .unwrap();
    let token = add_token(&file, "ci", grants(&["read"])).unwrap();
    let sound = std::fs::read_to_string(&file).unwrap();
    assert!(sound.contains("loan") && sound.contains("\"ci\""));
    assert!(!sound.contains("s3cret-word") && !sound.contains(&token));
    let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);

    let open = async |file: &Path| {
        let mut config = RegistryConfig::new(directory.path().join("registry.db"));
        config.users = Some(file.to_owned());
        Registry::open(config).await
    };
    assert!(open(&file).await.is_ok());
    for (text, words) in [
        (sound.replace("210000", "1000"), "not well formed"),
        (
            sound.replace("\"hash\": \"", "\"hash\": \"AAAA"),
            "not well formed",
        ),
        (
            sound.replace("\"sha256\": \"", "\"sha256\": \"A"),
            "not well formed",
        ),
        (
            sound.replace("\"version\": 1", "\"version\": 2"),
            "unknown version",
        ),
        (sound.replace("\"write\"", "\"own\""), "line"),
        (sound.replace("salt", "pepper"), "line"),
        (String::new(), "line"),
    ] {
        assert_ne!(text, sound);
        std::fs::write(&file, text).unwrap();
        let error = open(&file).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.mend_text().is_some());
    }
    std::fs::write(&file, &sound).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o606)).unwrap();
    let error = open(&file).await.unwrap_err();
    assert!(error.to_string().contains("everybody may write"), "{error}");
    let error = open(&directory.path().join("none")).await.unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");

    for (name, password) in [("", "x"), ("a:b", "x"), ("a\n", "x"), ("a", "")] {
        let file = directory.path().join("other.json");
        assert!(set_user(&file, name, password, Vec::new()).is_err());
    }
    for text in ["own", "", "Read:x"] {
        assert!(text.parse::<Grant>().is_err(), "{text}");
    }
}
