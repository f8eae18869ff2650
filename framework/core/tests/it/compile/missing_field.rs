mesh_macros::contract!("../contracts/note.odcs.yaml");

fn main() {
    let _note = Note {
        note_id: 1,
        colour: NoteColour::Red,
    };
}
