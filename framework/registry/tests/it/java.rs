//! Generated pairs with the verdicts of Apache Avro 1.12.0 for Java
//! (`SchemaCompatibility.checkReaderWriterCompatibility`) and its canonical texts.

use mesh_registry::compat::{Schema, can_read};
use serde_json::Value;

#[test]
fn verdicts_and_texts_are_those_of_java() {
    let lines = include_str!("java_pairs.jsonl");
    let (mut compatible, mut incompatible) = (0, 0);
    for (n, line) in lines.lines().enumerate() {
        let pair: Value = serde_json::from_str(line).unwrap();
        let parse = |key: &str| Schema::parse(pair[key].as_str().unwrap()).expect(line);
        let (reader, writer) = (parse("reader"), parse("writer"));
        let reads = can_read(&reader, &writer).unwrap().is_empty();
        assert_eq!(pair["reads"].as_bool(), Some(reads), "line {}", n + 1);
        // The texts of the pairs are Java's own: reading and writing them changes nothing.
        assert_eq!(pair["reader"].as_str(), Some(reader.canonical().as_str()));
        assert_eq!(pair["writer"].as_str(), Some(writer.canonical().as_str()));
        *(if reads {
            &mut compatible
        } else {
            &mut incompatible
        }) += 1;
    }
    assert!(compatible > 100 && incompatible > 100);
}
