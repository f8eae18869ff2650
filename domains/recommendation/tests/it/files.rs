use mesh_core::Result;
use recommendation::csv_file::CsvFile;
use recommendation::model::Item;
use recommendation::titles::{Title, read};

use crate::support::{error_text, file, movielens};

const COLUMNS: [&str; 3] = ["movieId", "title", "genres"];

fn titles(rows: &str) -> Result<Vec<(Item, Title)>> {
    let text = format!("movieId,title,genres\r\n{rows}");
    read(file("movies.csv", &text, &COLUMNS)?)
}

#[test]
fn titles_and_genres_are_read() {
    let rows = "1,Toy Story (1995),Adventure|Animation\r\n\
                7,\"American President, The \"\"1995\"\"\",(no genres listed)\r\n";
    let read = titles(rows).unwrap();
    assert_eq!(read[0].1.genres, ["Adventure", "Animation"]);
    let expected = Title {
        title: "American President, The \"1995\"".to_owned(),
        genres: Vec::new(),
    };
    assert_eq!(read[1], (7, expected));
}

#[test]
fn what_is_wrong_is_named_by_file_line_and_field_and_never_by_value() {
    let check = |rows: &str, line: &str, field: &str| {
        let text = error_text(titles(rows));
        for part in [
            "movies.csv",
            &format!("line: {line}"),
            &format!("field: {field}"),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("bogus"), "{text}");
    };
    check("1,A,B\r\nbogus,A,B\r\n", "3", "movieId");
    check("1,A,B\r\n1,bogus,B\r\n", "3", "movieId");
    check("0,A,B\r\n", "2", "movieId");
    check("1,,B\r\n", "2", "title");
    check(&format!("1,{},B\r\n", "bogus".repeat(101)), "2", "title");
    assert!(error_text(titles("1,A\r\n")).contains("line: 2"));
}

#[test]
fn the_real_titles_are_read_whole() {
    let Some(folder) = movielens() else { return };
    let read = read(CsvFile::open(&folder, "movies.csv", &COLUMNS).unwrap()).unwrap();
    assert_eq!(read.len(), 9_742);
    assert_eq!(read[0].1.title, "Toy Story (1995)");
    assert!(read.iter().any(|(_, title)| title.genres.is_empty()));
}
