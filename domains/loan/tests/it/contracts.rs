use loan::products::{Application, Decision, Loan, inputs};
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
    let products: [&Descriptor; 3] = [
        Application::descriptor(),
        Decision::descriptor(),
        Loan::descriptor(),
    ];
    let inputs: [&Descriptor; 4] = [
        inputs::BankPayment::descriptor(),
        inputs::ApplicantProfile::descriptor(),
        inputs::ApplicantScore::descriptor(),
        inputs::HistoryEntry::descriptor(),
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
        assert_eq!(contract.retention, Retention::Unlimited, "{topic}");
        assert!(contract.schema.subject_key.is_some(), "{topic}");
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
