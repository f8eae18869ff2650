use transaction::settings::Settings;

#[test]
fn the_funds_capital_is_read_or_refused_with_its_name() {
    let read = |text: Option<&str>| Settings::read(|_| text.map(str::to_owned));
    assert_eq!(
        read(None).unwrap().fund_capital.to_string(),
        "1000000000.00"
    );
    assert_eq!(read(Some("")).unwrap(), read(None).unwrap());
    assert_eq!(
        read(Some("12.5")).unwrap().fund_capital.to_string(),
        "12.50"
    );
    for wrong in ["much", "-1", "1.005"] {
        let text = read(Some(wrong)).unwrap_err().to_string();
        assert!(text.contains("MESH_LOAN_FUND_CAPITAL"), "{text}");
    }
}
