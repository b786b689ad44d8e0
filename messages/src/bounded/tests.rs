use super::*;

#[test]
fn a_list_holds_no_more_than_its_limit() {
    type Three = List<u8, 3>;
    assert_eq!(Three::truncated(0..9).to_vec(), [0, 1, 2]);
    assert_eq!(
        Three::try_from(vec![1, 2, 3]).unwrap().into_vec(),
        [1, 2, 3]
    );
    assert_eq!(Three::try_from(vec![0; 4]), Err(TooLong { len: 4, max: 3 }));
    let encoded = postcard::to_stdvec(&[1_u8, 2, 3][..]).unwrap();
    assert_eq!(
        postcard::from_bytes::<Three>(&encoded).unwrap().to_vec(),
        [1, 2, 3]
    );
    let encoded = postcard::to_stdvec(&[0_u8; 4][..]).unwrap();
    assert!(postcard::from_bytes::<Three>(&encoded).is_err());
}

#[test]
fn a_label_is_cut_at_a_whole_character() {
    assert_eq!(&*Label::<5>::truncated("café!"), "café");
    assert_eq!(&*Label::<4>::truncated("café!"), "caf");
    assert_eq!(&*Label::<0>::truncated("é"), "");
}

#[test]
fn a_label_holds_no_more_than_its_limit() {
    assert_eq!(
        Label::<3>::try_from("abcd"),
        Err(TooLong { len: 4, max: 3 })
    );
    let encoded = postcard::to_stdvec("abc").unwrap();
    assert_eq!(&*postcard::from_bytes::<Label<3>>(&encoded).unwrap(), "abc");
    assert!(postcard::from_bytes::<Label<2>>(&encoded).is_err());
    assert!(postcard::from_bytes::<Label<3>>(&[2, 0xff, 0xff]).is_err());
}
