use recommendation::model::Decay;
use recommendation::settings::Settings;

#[test]
fn half_lives_are_read_or_refused_with_their_name() {
    let read =
        |name: &str, value: &str| Settings::read(|asked| (asked == name).then(|| value.to_owned()));
    assert_eq!(Settings::read(|_| None).unwrap().decay, Decay::default());
    let similar = read("MESH_SIMILAR_HALF_LIFE_DAYS", "30").unwrap();
    assert_eq!(similar.decay.similar_days, 30.0);
    let popular = read("MESH_POPULAR_HALF_LIFE_DAYS", "0.5").unwrap();
    assert_eq!(popular.decay.popular_days, 0.5);
    for name in ["MESH_SIMILAR_HALF_LIFE_DAYS", "MESH_POPULAR_HALF_LIFE_DAYS"] {
        for wrong in ["0", "-1", "NaN", "inf", "long"] {
            let text = read(name, wrong).unwrap_err().log_line();
            assert!(text.contains(name), "{text}");
        }
    }
}
