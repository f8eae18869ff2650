use crate::harness::{Demo, berka, mesh_with_input, python, text, workspace};

#[test]
fn the_made_up_bank_runs_to_the_end_and_a_stranger_reads_it() {
    let mut demo = Demo::start(&["--customers=120"]);
    demo.wait_for("The mesh stays up");
    assert_eq!(demo.sql("SELECT count(*) FROM customer.profiles"), "120");
    assert_eq!(demo.sql("SELECT count(*) FROM transaction.accounts"), "100");
    let undecided = "SELECT count(*) FROM loan.applications AS a
         LEFT JOIN loan.decisions AS d ON d.application_id = a.application_id
         WHERE d.application_id IS NULL";
    assert_eq!(demo.sql(undecided), "0");
    page_is_true("banking.md", "banking", &mut demo);
    if let Some(python) = python() {
        demo.judge(&python, "reconcile.py", &["--accounts=100"]);
        demo.judge(&python, "refusals.py", &[&workspace_option()]);
        demo.judge(&python, "read_products.py", &[]);
    }
    assert_eq!(demo.stop(), Some(0));
}

/// The statements in the blocks of SQL of a page of docs/.
fn questions(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(workspace().join("docs").join(page)).unwrap();
    let blocks = text.split("```sql\n").skip(1);
    blocks
        .flat_map(|block| block.split("```").next().unwrap().split(';'))
        .map(|statement| statement.trim().to_owned())
        .filter(|statement| !statement.is_empty())
        .collect()
}

fn workspace_option() -> String {
    format!("--workspace={}", workspace().display())
}

/// What a page of docs/ shows is answered by the mesh that it is about, with rows.
fn page_is_true(page: &str, mesh: &str, demo: &mut Demo) {
    let questions = questions(page);
    assert!(questions.len() >= 2, "{page}: {questions:?}");
    for statement in questions {
        let rows = demo.sql(&statement);
        assert!(!rows.is_empty(), "{page}: {statement}: no rows");
    }
    let file = format!("docs/{page}");
    let drawn = mesh_with_input(&["flow", "--mesh", mesh, "--check", &file], "");
    assert!(drawn.status.success(), "{}", text(&drawn));
}

#[test]
fn the_made_up_media_service_runs_to_the_end_and_a_stranger_counts_it() {
    let mut demo = Demo::start(&["--mesh=media", "--viewers=60"]);
    demo.wait_for("The mesh stays up");
    page_is_true("media.md", "media", &mut demo);
    if let Some(python) = python() {
        let files = format!("--files={}", demo.folder().join("demo/media").display());
        demo.judge(&python, "media_books.py", &[&files]);
        demo.judge(&python, "refusals.py", &[&workspace_option()]);
        demo.judge(&python, "read_products.py", &[]);
    }
    assert_eq!(demo.stop(), Some(0));
}

#[test]
fn with_logins_and_access_control_each_domain_does_its_own_work_alone() {
    let mut demo = Demo::start_embedded(&["--customers=60", "--seed=6", "--secure"]);
    demo.wait_for("The mesh stays up");
    assert_eq!(demo.sql("SELECT count(*) FROM customer.profiles"), "60");
    let Some(python) = python() else { return };
    let logins = demo.folder().join("demo/logins");
    let admin = logins.join("admin.toml");
    let judged = ["--login", admin.to_str().unwrap(), "--accounts=50"];
    demo.judge(&python, "reconcile.py", &judged);

    // Somebody who may log in, and has no rule; the running broker learns of it.
    let users = format!("--users-file={}", logins.join("users.json").display());
    let add = ["users", "add", "stranger", &users];
    let told = mesh_with_input(&add, "a stranger's password\n");
    assert!(told.status.success(), "{}", text(&told));
    let listed = mesh_with_input(&["users", "list", &users], "");
    assert!(text(&listed).contains("stranger  SCRAM-SHA-256, SCRAM-SHA-512"));
    let stranger = std::fs::read_to_string(&admin).unwrap();
    let stranger: Vec<String> = stranger
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some((name, _)) if name.contains("username") => format!("{name} = \"stranger\""),
            Some((name, _)) if name.contains("password") => {
                format!("{name} = \"a stranger's password\"")
            }
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(logins.join("stranger.toml"), stranger.join("\n")).unwrap();
    let judged = ["--logins", logins.to_str().unwrap()];
    demo.judge(&python, "raw_access.py", &judged);

    let removed = mesh_with_input(&["users", "remove", "stranger", &users], "");
    assert!(removed.status.success(), "{}", text(&removed));
    let again = mesh_with_input(&["users", "remove", "stranger", &users], "");
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert_eq!(demo.stop(), Some(0));
}

#[test]
fn the_real_bank_is_read_whole_and_decided_once() {
    let Some(files) = berka() else { return };
    let berka = format!("--berka={}", files.display());
    let mut demo = Demo::start(&[&berka]);
    demo.wait_for("The mesh stays up");
    for (statement, expected) in [
        ("SELECT count(*) FROM customer.profiles", "5369"),
        ("SELECT count(*) FROM transaction.accounts", "4500"),
        (
            "SELECT count(*) FROM transaction.transactions WHERE source = 'IMPORT'",
            "79302",
        ),
        ("SELECT count(*) FROM loan.applications", "682"),
        (
            "SELECT count(*), count(DISTINCT application_id) FROM loan.decisions",
            "682,682",
        ),
        ("SELECT count(DISTINCT outcome) FROM loan.decisions", "3"),
        // District 69's "?" is a null with a note, in every profile of the district.
        (
            "SELECT count(*) > 0, count(district_unemployment_1995), count(*) - count(data_note)
             FROM customer.profiles WHERE district_id = 69",
            "true,0,0",
        ),
        (
            "SELECT count(*) FROM customer.profiles
             WHERE district_id <> 69 AND district_unemployment_1995 IS NULL",
            "0",
        ),
    ] {
        assert_eq!(demo.sql(statement), expected, "{statement}");
    }
    if let Some(python) = python() {
        let expected = [
            "--applications=682",
            "--imported=79302",
            "--profiles=5369",
            "--accounts=4500",
        ];
        demo.judge(&python, "reconcile.py", &expected);
    }
    assert_eq!(demo.stop(), Some(0));
}

/// A copied folder under another name runs with no other file changed. The copy is made in
/// a workspace of its own that borrows everything else from this one.
#[test]
fn a_copied_domain_runs_with_no_other_file_changed() {
    let copy = tempfile::tempdir().unwrap();
    let root = copy.path();
    for name in [
        "Cargo.toml",
        "Cargo.lock",
        "framework",
        "governance",
        "catalog",
    ] {
        std::os::unix::fs::symlink(workspace().join(name), root.join(name)).unwrap();
    }
    std::fs::create_dir(root.join("domains")).unwrap();
    for entry in std::fs::read_dir(workspace().join("domains"))
        .unwrap()
        .flatten()
    {
        std::os::unix::fs::symlink(entry.path(), root.join("domains").join(entry.file_name()))
            .unwrap();
    }
    let copied = std::process::Command::new("cp")
        .args(["-rL"])
        .args([
            workspace().join("domains/customer"),
            root.join("domains/patron"),
        ])
        .status()
        .unwrap();
    assert!(copied.success());
    rename(&root.join("domains/patron"));

    let place = format!("--workspace={}", root.display());
    let mut demo = Demo::start(&["--customers=12", &place]);
    demo.wait_for("The mesh stays up");
    assert_eq!(demo.sql("SELECT count(*) FROM patron.profiles"), "12");
    assert_eq!(demo.sql("SELECT count(*) FROM customer.profiles"), "12");
    assert_eq!(demo.stop(), Some(0));
}

fn rename(folder: &std::path::Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rename(&path);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("customer", "patron")).unwrap();
    }
}
