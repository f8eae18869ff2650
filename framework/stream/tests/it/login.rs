//! Logging in to the schema registry.

use mesh_core::ErrorKind;
use mesh_registry::{Registry, RegistryConfig, add_token, set_user};
use mesh_stream::{RegistryClient, RegistryLogin};

fn basic(user: &str, password: &str) -> RegistryLogin {
    RegistryLogin::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
    }
}

#[tokio::test]
async fn a_client_logs_in_as_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.json");
    let write = || vec!["write:loan.".parse().unwrap()];
    set_user(&users, "loan", "pass:word@1", write()).unwrap();
    let token = add_token(&users, "ci", write()).unwrap();
    let mut config = RegistryConfig::new(folder.path().join("registry.db"));
    config.users = Some(users);
    let registry = Registry::open(config).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(mesh_registry::serve(
        registry,
        listener,
        std::future::pending(),
    ));
    let url = format!("http://{address}");
    let in_url = format!("http://loan:pass%3Aword%401@{address}");
    let good = basic("loan", "pass:word@1");
    for (url, login) in [
        (&url, Some(good.clone())),
        (&url, Some(RegistryLogin::Bearer(token))),
        (&in_url, None),
    ] {
        let client = RegistryClient::with_login(url, login).unwrap();
        let id = client.register("loan.a-value", "\"int\"").await.unwrap();
        assert_eq!(client.writer_schema(id).await.unwrap().text, "\"int\"");
        client
            .set_compatibility("loan.a-value", "FULL")
            .await
            .unwrap();
        assert_eq!(client.latest("loan.a-value").await.unwrap().unwrap().id, id);
        let shown = format!("{client:?} {}", client.url());
        assert!(!shown.contains("word"), "{shown}");
        let error = client.register("bank.a-value", "\"int\"").await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    for login in [None, Some(basic("loan", "wrong-word"))] {
        let client = RegistryClient::with_login(&url, login).unwrap();
        for error in [
            client.register("loan.a-value", "\"int\"").await.err(),
            client.latest("loan.a-value").await.err(),
            client.set_compatibility("loan.a-value", "FULL").await.err(),
        ] {
            let error = error.unwrap();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
            let text = format!("{error} {}", error.log_line());
            assert!(!text.contains("wrong-word"), "{text}");
            assert!(error.mend_text().unwrap().contains("MESH_REGISTRY_USER"));
        }
    }
    let wrong = RegistryClient::with_login("ftp://loan:word@host", None).unwrap_err();
    assert!(!format!("{wrong:?} {wrong}").contains("word"), "{wrong}");
    assert_eq!(format!("{good:?}"), "Basic(loan)");
}

#[test]
fn the_environment_names_one_login_or_none() {
    let read = |set: &'static [(&str, &str)]| {
        RegistryLogin::from_variables(|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    assert_eq!(read(&[]).unwrap(), None);
    assert_eq!(read(&[("MESH_REGISTRY_USER", "")]).unwrap(), None);
    assert_eq!(
        read(&[
            ("MESH_REGISTRY_USER", "loan"),
            ("MESH_REGISTRY_PASSWORD", "word")
        ])
        .unwrap(),
        Some(basic("loan", "word"))
    );
    assert_eq!(
        read(&[("MESH_REGISTRY_TOKEN", "t")]).unwrap(),
        Some(RegistryLogin::Bearer("t".to_owned()))
    );
    for unclear in [
        &[("MESH_REGISTRY_USER", "loan")] as &'static [_],
        &[("MESH_REGISTRY_PASSWORD", "word")],
        &[("MESH_REGISTRY_USER", "loan"), ("MESH_REGISTRY_TOKEN", "t")],
    ] {
        let error = read(unclear).unwrap_err();
        let mend = error.mend_text().unwrap_or_default();
        assert!(mend.contains("MESH_REGISTRY_USER"), "{error}");
        assert!(!format!("{error:?}{mend}").contains("word"), "{error:?}");
    }
}
