#[test]
fn code_that_breaks_its_contract_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/it/compile/complete.rs");
    cases.compile_fail("tests/it/compile/missing_field.rs");
    cases.compile_fail("tests/it/compile/wrong_type.rs");
    cases.compile_fail("tests/it/compile/unknown_enum_value.rs");
    cases.compile_fail("tests/it/compile/broken_contract.rs");
}
