//! What needs no platform: ways, texts, settings and the meaning of SMTP answers.

use std::collections::HashSet;
use std::time::Duration;

use mesh_core::TimestampMillis;
use notification::mail::{Answer, Mailer, classify};
use notification::notice::{Notice, Template, notice_id};
use notification::products::{DeliveryChannel, Preference, PreferenceChannel};
use notification::routing::{Route, route};
use notification::settings::{Patience, Settings};
use notification::texts::{LANGUAGES, compose};
use uuid::Uuid;

use crate::smtp::plain;

fn prefers(channel: PreferenceChannel, muted: &[&str]) -> Preference {
    Preference {
        client_id: 1,
        channel,
        email: (channel == PreferenceChannel::Email).then(|| "anna@example.org".to_owned()),
        muted_subjects: muted.iter().map(|&one| one.to_owned()).collect(),
        language: "cs".to_owned(),
        updated_at: TimestampMillis(0),
    }
}

#[test]
fn the_way_follows_from_what_the_client_prefers() {
    let email = || Route::Email {
        address: "anna@example.org".to_owned(),
        language: "cs".to_owned(),
    };
    let no_address = || Route::Hold(Some(DeliveryChannel::Email), "NO_ADDRESS");
    let by = |channel, muted: &[&str]| Some(prefers(channel, muted));
    use PreferenceChannel::{Email, Log, None as Nothing};
    use Template::{Erased, LoanApproved, PaymentRejected};
    for (template, preference, by_email, expected) in [
        (LoanApproved, None, false, Route::Log),
        (LoanApproved, None, true, no_address()),
        (LoanApproved, by(Email, &[]), true, email()),
        (LoanApproved, by(Email, &[]), false, Route::Log),
        (LoanApproved, by(Log, &[]), true, Route::Log),
        (
            LoanApproved,
            by(Nothing, &[]),
            true,
            Route::Hold(None, "OPTED_OUT"),
        ),
        (
            LoanApproved,
            by(Nothing, &[]),
            false,
            Route::Hold(None, "OPTED_OUT"),
        ),
        (
            LoanApproved,
            by(Email, &["LOANS"]),
            true,
            Route::Hold(None, "MUTED"),
        ),
        (PaymentRejected, by(Email, &["LOANS"]), true, email()),
        (
            PaymentRejected,
            by(Email, &["LOANS", "PAYMENTS"]),
            true,
            Route::Hold(None, "MUTED"),
        ),
        // What the law asks for comes through if it can.
        (Erased, by(Email, &["PRIVACY"]), true, email()),
        (Erased, by(Nothing, &[]), true, no_address()),
        (Erased, by(Nothing, &[]), false, Route::Log),
    ] {
        let chosen = route(template, preference.as_ref(), by_email);
        assert_eq!(chosen, expected, "{template:?} {preference:?} {by_email}");
    }
}

#[test]
fn every_text_is_there_in_every_language_and_names_its_number() {
    let mut subjects = HashSet::new();
    for template in Template::ALL {
        for language in LANGUAGES {
            let text = compose(template, language, Some("4711"));
            assert!(subjects.insert(text.subject), "{template:?} {language}");
            assert!(!text.body.contains('{'), "{template:?} {language}");
            let about_a_thing = ["LOANS", "PAYMENTS"].contains(&template.subject().as_str());
            assert_eq!(
                text.body.contains("4711"),
                about_a_thing,
                "{template:?} {language}"
            );
        }
        assert_eq!(compose(template, "de", None), compose(template, "en", None));
    }
}

#[test]
fn an_answer_of_the_server_says_whether_to_try_again() {
    let later = |cause: &str| Answer::Later(cause.to_owned());
    let never = |reason: &str| Answer::Never(reason.to_owned());
    for (code, expected) in [
        (Some(421), later("421")),
        (Some(450), later("450")),
        (Some(454), later("454")),
        (Some(550), never("REFUSED_550")),
        (Some(554), never("REFUSED_554")),
        // Our login is wrong, not the message.
        (Some(530), later("LOGIN")),
        (Some(535), later("LOGIN")),
        (None, later("UNREACHABLE")),
    ] {
        assert_eq!(classify(code, "UNREACHABLE"), expected, "{code:?}");
    }
}

#[test]
fn waits_double_up_to_the_longest() {
    let patience = Patience {
        first: Duration::from_secs(60),
        longest: Duration::from_secs(300),
        give_up: Duration::from_secs(3600),
    };
    let waits = [1, 2, 3, 4, 40].map(|attempts| patience.after(attempts).as_secs());
    assert_eq!(waits, [60, 120, 240, 300, 300]);
}

#[tokio::test]
async fn the_same_notification_is_the_same_message() {
    let mailer = Mailer::new(plain(25).smtp.as_ref().unwrap()).unwrap();
    let cause = Uuid::from_u128(7);
    let notice = Notice {
        id: notice_id(cause),
        cause,
        cause_topic: "loan.decisions.v1".to_owned(),
        client_id: 1,
        template: Template::LoanApproved,
        reference: Some("5".to_owned()),
        requested_at: 1_700_000_000_123,
    };
    let to = || "anna@example.org".parse().unwrap();
    let text = |notice: &Notice| {
        String::from_utf8(mailer.message(notice, to(), "cs").unwrap().formatted()).unwrap()
    };
    let message = text(&notice);
    assert_eq!(message, text(&notice));
    let id = format!("Message-ID: <{}@bank.example>", notice.id);
    assert!(message.contains(&id), "{message}");
    assert!(
        message.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000"),
        "{message}"
    );
    assert_ne!(notice_id(Uuid::from_u128(8)), notice.id);
}

#[test]
fn settings_that_cannot_work_are_refused_by_their_variable_and_never_shown() {
    let domain = |given: &[(&str, &str)]| {
        Settings::read(|name| {
            let found = given.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .and_then(|settings| {
            settings.smtp.as_ref().map(Mailer::new).transpose()?;
            Ok(settings)
        })
    };
    let url = |url: &str| {
        let from = ("MESH_SMTP_FROM", "Bank <no-reply@bank.example>");
        domain(&[("MESH_SMTP_URL", url), from])
    };
    assert!(domain(&[]).unwrap().smtp.is_none());
    assert!(domain(&[("MESH_SMTP_URL", "")]).unwrap().smtp.is_none());
    for good in [
        "smtp://mail.example",
        "smtps://user:s3cret@mail.example",
        "smtp://user:s3cret@mail.example:587?tls=required",
        "smtp://user:s3cret@127.0.0.1:2525",
    ] {
        let settings = url(good).unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"), "{settings:?}");
    }
    for (bad, part) in [
        ("mail.example:25", "cannot be used"),
        ("http://user:s3cret@mail.example", "cannot be used"),
        (
            "smtp://user:s3cret@mail.example?tls=maybe",
            "cannot be used",
        ),
        ("smtp://user:s3cret@mail.example", "in the clear"),
        (
            "smtp://user:s3cret@mail.example?tls=opportunistic",
            "in the clear",
        ),
    ] {
        let text = url(bad).unwrap_err().log_line();
        assert!(
            text.contains(part) && text.contains("MESH_SMTP_URL"),
            "{text}"
        );
        assert!(!text.contains("s3cret"), "{text}");
    }
    for (given, variable) in [
        (
            vec![("MESH_SMTP_URL", "smtp://mail.example")],
            "MESH_SMTP_FROM",
        ),
        (
            vec![
                ("MESH_SMTP_URL", "smtp://mail.example"),
                ("MESH_SMTP_FROM", "bank"),
            ],
            "MESH_SMTP_FROM",
        ),
        (
            vec![
                ("MESH_SMTP_URL", "smtps://mail.example"),
                ("MESH_SMTP_FROM", "no-reply@bank.example"),
                ("MESH_SMTP_CA", "/no/such/file.pem"),
            ],
            "MESH_SMTP_CA",
        ),
        (
            vec![("MESH_SMTP_RETRY_SECONDS", "soon")],
            "MESH_SMTP_RETRY_SECONDS",
        ),
        (
            vec![("MESH_SMTP_GIVE_UP_HOURS", "0")],
            "MESH_SMTP_GIVE_UP_HOURS",
        ),
        (
            vec![("MESH_NOTIFY_OLDEST_HOURS", "-1")],
            "MESH_NOTIFY_OLDEST_HOURS",
        ),
    ] {
        let text = domain(&given).unwrap_err().log_line();
        assert!(text.contains(variable), "{text}");
    }
}
