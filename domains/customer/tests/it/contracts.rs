use customer::products::{Change, CreditScore, Drift, Erasure, Profile, inputs};
use mesh_core::contract::{Field, Retention, Type};
use mesh_core::{Descriptor, Record};

fn described(fields: &[Field], topic: &str) {
    for field in fields {
        let name = &field.name;
        assert!(field.description.is_some(), "{topic}: {name} says nothing");
        match &field.ty {
            Type::Object(object) => described(&object.fields, topic),
            Type::Array(array) => {
                if let Type::Object(object) = &array.items {
                    described(&object.fields, topic);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn products_are_whole_and_say_what_they_are_made_from() {
    let products: [&Descriptor; 5] = [
        Profile::descriptor(),
        CreditScore::descriptor(),
        Change::descriptor(),
        Erasure::descriptor(),
        Drift::descriptor(),
    ];
    let inputs: [&Descriptor; 2] = [
        inputs::HistoryEntry::descriptor(),
        inputs::BorrowedLoan::descriptor(),
    ];
    let known: Vec<&str> = products
        .iter()
        .chain(&inputs)
        .map(|one| one.contract.id.as_str())
        .collect();
    for descriptor in products {
        let topic = descriptor.topic.as_str();
        let (contract, product) = (&descriptor.contract, descriptor.product.as_ref().unwrap());
        assert_eq!(contract.domain, env!("CARGO_PKG_NAME"));
        // A log cannot forget one client, so the one that tells of moves forgets all of them soon.
        let for_ever = topic != Change::descriptor().topic.as_str();
        assert_eq!(
            contract.retention == Retention::Unlimited,
            for_ever,
            "{topic}"
        );
        // Counts are about nobody.
        let of_a_person = topic != Drift::descriptor().topic.as_str();
        assert_eq!(
            contract.schema.subject_key.is_some(),
            of_a_person,
            "{topic}"
        );
        assert!(
            product.owner().is_some() && !contract.support.is_empty(),
            "{topic}"
        );
        described(&contract.schema.fields, topic);
        for port in &product.input_ports {
            assert!(
                known.contains(&port.contract_id.as_str()),
                "{topic}: {} is not among the contracts of this folder",
                port.contract_id
            );
        }
    }
    for input in inputs {
        assert_ne!(input.contract.domain, env!("CARGO_PKG_NAME"));
    }
}
