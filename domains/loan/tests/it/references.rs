use loan::reference::{creditor_reference, loan_of};

#[test]
fn the_example_of_the_standard_is_made_and_read() {
    assert_eq!(creditor_reference(539_007_547_034), "RF18539007547034");
    for text in [
        "RF18539007547034",
        "rf18539007547034",
        "RF18 5390 0754 7034",
        "instalment RF18539007547034, thanks",
        "instalment RF18539007547034",
    ] {
        let expected = (!text.contains(',')).then_some(539_007_547_034);
        assert_eq!(loan_of(text), expected, "{text}");
    }
}

#[test]
fn every_loan_has_a_reference_that_no_slip_makes_anothers() {
    for loan_id in [1, 9, 97, 5314, 7308, 999_999_999_999_999, i64::MAX] {
        let reference = creditor_reference(loan_id);
        assert!((5..=25).contains(&reference.len()), "{reference}");
        assert_eq!(loan_of(&reference), Some(loan_id));
        // Any one wrong digit, and any two neighbours that change places, are noticed.
        let digits: Vec<char> = reference.chars().collect();
        for at in 2..digits.len() {
            for other in '0'..='9' {
                let mut wrong = digits.clone();
                wrong[at] = other;
                let text: String = wrong.iter().collect();
                assert_eq!(loan_of(&text).is_some(), other == digits[at], "{text}");
            }
            let mut wrong = digits.clone();
            wrong.swap(at, digits.len() - 1);
            if at + 2 == digits.len() && wrong != digits {
                let text: String = wrong.iter().collect();
                assert_eq!(loan_of(&text), None, "{text}");
            }
        }
    }
}

#[test]
fn what_is_no_reference_names_no_loan() {
    for text in [
        "",
        "RF",
        "RF18",
        "RF180",
        "539007547034",
        "RF18539007547035",
        "RF18539007547034X",
        "XRF18539007547034",
        "RF18-539007547034",
        "RF99999999999999999999999",
        "RFéé1",
        "loan 5314",
    ] {
        assert_eq!(loan_of(text), None, "{text}");
    }
}
