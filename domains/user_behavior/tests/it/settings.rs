use mesh_core::Result;
use user_behavior::settings::{Limits, Settings, from_hex, to_hex};

fn read(name: &str, value: &str) -> Result<Settings> {
    Settings::read(|asked| (asked == name).then(|| value.to_owned()))
}

#[test]
fn settings_are_read_or_refused_with_their_name() {
    let usual = Settings::read(|_| None).unwrap();
    assert_eq!(usual.limits, Limits::default());
    assert_eq!(usual.key, None);
    let gap = read("MESH_SESSION_GAP_SECONDS", "60").unwrap();
    assert_eq!(gap.limits.gap, 60_000);
    let lateness = read("MESH_SESSION_LATENESS_SECONDS", "0").unwrap();
    assert_eq!(lateness.limits.lateness, 0);
    for (name, wrong) in [
        ("MESH_SESSION_GAP_SECONDS", "0"),
        ("MESH_SESSION_GAP_SECONDS", "half an hour"),
        ("MESH_SESSION_LATENESS_SECONDS", "-1"),
        ("MESH_SESSION_LATENESS_SECONDS", "99999999999999"),
        ("MESH_PSEUDONYM_KEY", "hunter2"),
        ("MESH_PSEUDONYM_KEY", &"ab".repeat(31)),
        ("MESH_PSEUDONYM_KEY", &"+1".repeat(32)),
    ] {
        let text = read(name, wrong).unwrap_err().log_line();
        assert!(text.contains(name), "{text}");
        // What was meant as a secret is not shown even where it is none.
        assert!(
            name != "MESH_PSEUDONYM_KEY" || !text.contains(wrong),
            "{text}"
        );
    }
}

#[test]
fn the_secret_is_never_shown() {
    let settings = read("MESH_PSEUDONYM_KEY", &"ab".repeat(32)).unwrap();
    assert_eq!(settings.key.as_ref().unwrap().bytes(), [0xab; 32]);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("ab") && !shown.contains("171"), "{shown}");
}

#[test]
fn hexadecimal_digits_are_bytes() {
    for bytes in [vec![], vec![0, 15, 16, 255]] {
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
    }
    for wrong in ["0", "0g", "+1", "é"] {
        assert_eq!(from_hex(wrong), None, "{wrong}");
    }
}
