mesh_macros::contract!("../contracts/note.odcs.yaml");

fn main() {
    let _note = Note {
        note_id: "one",
        colour: NoteColour::Red,
        text: None,
    };
}
