//! The codes of the bank's files, in Czech and in English, as this domain's products say them.
//!
//! Source: "Guide to the Financial Data Set" of the PKDD'99 Discovery Challenge, and the
//! English copies of the same table. A code that is not listed is refused by the caller.

use crate::products::{
    AccountStatementFrequency as Frequency, LedgerEntryDirection as Direction,
    LedgerEntryOperation as Operation, LedgerEntryPurpose as Purpose,
};

/// `account.frequency`: when statements are issued.
pub fn frequency(code: &str) -> Option<Frequency> {
    Some(match code {
        "POPLATEK MESICNE" => Frequency::Monthly,
        "POPLATEK TYDNE" => Frequency::Weekly,
        "POPLATEK PO OBRATU" => Frequency::AfterTransaction,
        _ => return None,
    })
}

/// `trans.type`. `VYBER` is not in the guide; it stands on rows that take cash out.
pub fn direction(code: &str) -> Option<Direction> {
    Some(match code {
        "PRIJEM" | "credit" => Direction::Credit,
        "VYDAJ" | "withdrawal" | "VYBER" | "withdrawal in cash" => Direction::Debit,
        _ => return None,
    })
}

/// `trans.operation`; blank for interest, which is `Some(None)`.
pub fn operation(code: &str) -> Option<Option<Operation>> {
    Some(Some(match code {
        "" => return Some(None),
        "VKLAD" | "credit in cash" => Operation::CashDeposit,
        "PREVOD Z UCTU" | "collection from another bank" => Operation::TransferIn,
        "VYBER" | "withdrawal in cash" => Operation::CashWithdrawal,
        "PREVOD NA UCET" | "remittance to another bank" => Operation::TransferOut,
        "VYBER KARTOU" | "credit card withdrawal" => Operation::CardWithdrawal,
        _ => return None,
    }))
}

/// `trans.k_symbol`; blank where nothing is said, which is `Some(None)`.
pub fn purpose(code: &str) -> Option<Option<Purpose>> {
    Some(Some(match code {
        "" => return Some(None),
        // The English copies spell insurance with a double r.
        "POJISTNE" | "insurrance payment" | "insurance payment" => Purpose::Insurance,
        "SLUZBY" | "payment for statement" => Purpose::StatementFee,
        "UROK" | "interest credited" => Purpose::Interest,
        "SANKC. UROK" | "sanction interest if negative balance" => Purpose::PenaltyInterest,
        "SIPO" | "household" => Purpose::Household,
        "DUCHOD" | "old-age pension" => Purpose::Pension,
        "UVER" | "loan payment" => Purpose::LoanPayment,
        _ => return None,
    }))
}
