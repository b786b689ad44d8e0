//! Marks are seen by the thread that came to them.

use super::{reset, seen};

#[test]
fn a_mark_is_seen_where_its_condition_holds() {
    reset();
    for n in 0..4 {
        crate::sometimes!(n > 1, "kernel test: more than one");
        crate::sometimes!(n > 9, "kernel test: more than nine");
    }
    let seen = seen();
    assert_eq!(seen.get("kernel test: more than one"), Some(&2));
    assert_eq!(seen.len(), 1);
}

#[test]
fn what_another_thread_came_to_is_not_seen_here() {
    reset();
    std::thread::spawn(|| crate::sometimes!(true, "kernel test: elsewhere"))
        .join()
        .unwrap();
    assert!(seen().is_empty());
}
