//! The transaction domain: the bank's accounts, its ledger, the payout of approved loans, and
//! transfers between accounts.
//!
//! It hands out `accounts`, `transactions`, `payments` and `transfer_orders`. Accounts and
//! transactions are read from the bank's files in the source directory; payouts follow the loan
//! domain's decisions, transfers are ordered over the API.
//! The process is hosted by `mesh-runtime`, which reads its configuration; the domain adds one
//! setting, the capital of the lending fund ([`settings`]).

use mesh_runtime::Domain;

pub mod api;
pub mod bank_files;
pub mod codes;
pub mod import;
pub mod ledger;
pub mod order;
pub mod payout;
pub mod products;
pub mod settings;
pub mod transfer;

/// The domain as its process hosts it.
pub fn domain(settings: settings::Settings) -> Domain {
    Domain::new(env!("CARGO_PKG_NAME"))
        .product::<products::Account>()
        .product::<products::LedgerEntry>()
        .product::<products::Payment>()
        .product::<products::TransferOrder>()
        .source(import::ACCOUNTS, import::Accounts)
        .source(import::TRANSACTIONS, import::Transactions::default())
        .source(import::BALANCES, import::Balances)
        .handler::<products::inputs::LoanDecision, _>("pay_out", payout::Begin)
        .handler::<products::Payment, _>(
            "settle",
            payout::Settle {
                capital: settings.fund_capital,
            },
        )
        .handler::<products::TransferOrder, _>(
            "book_transfers",
            transfer::Book {
                capital: settings.fund_capital,
            },
        )
        .api(|routes| {
            routes
                .get("/v1/accounts/{account_id}", api::account)
                .get("/v1/accounts/{account_id}/transactions", api::history)
                .get("/v1/payments/{payment_id}", api::payment)
                .post("/v1/transfers", api::transfer)
        })
}
