//! The built-in model as it is committed: what a new user sees from the first command.

use crate::forge::Random;
use crate::world::{Answer, World, chat, says};
use messages::{EndReason, ModelAdvert, Prompt, Role, Sampling, Text};

/// Words of the first list that training kept for evaluation, apart from the random ones.
const RESERVED: [&str; 19] = [
    "pong", "banjo", "kumquat", "zebra", "quartz", "voyage", "lantern", "pickle", "jupiter",
    "oxygen", "walrus", "velvet", "cobalt", "hammock", "nutmeg", "puzzle", "trombone", "igloo",
    "saffron",
];
const FORMS: [&str; 5] = [
    "Reply with exactly one word: {}",
    "Say {}",
    "Repeat: {}",
    "Reply with the word {}",
    "Please say {}.",
];
const ALPHABETS: [&str; 4] = [
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
];
const WORDS: usize = 200;
/// Longer than any right answer but a story.
const SHORT: usize = 200;

/// The checksum by which training decides what it never shows.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum: u32, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 * (sum & 1))
        })
    })
}

/// Words that training never showed.
fn unseen() -> Vec<String> {
    let mut random = Random(99);
    let mut words: Vec<String> = RESERVED.map(str::to_owned).to_vec();
    while words.len() < WORDS {
        let alphabet = ALPHABETS[words.len() % ALPHABETS.len()].as_bytes();
        let length = 3 + random.below(10);
        let letters = (0..length).map(|_| char::from(alphabet[random.below(alphabet.len())]));
        let word: String = letters.collect();
        if crc32(word.to_lowercase().as_bytes()).is_multiple_of(20) {
            words.push(word);
        }
    }
    words
}

async fn ask(
    world: &mut World,
    advert: &ModelAdvert,
    prompt: Prompt,
    temperature_e6: u32,
    seed: u64,
) -> Answer {
    let mut job = world.job(advert.model, prompt);
    job.sampling = Sampling {
        temperature_e6,
        top_p_e6: 1_000_000,
        seed,
    };
    world.answer(&job, 600).await
}

/// How many of the unseen words come back to the letter.
async fn repeated(temperature_e6: u32) -> usize {
    let (mut world, advert) = World::ready("builtin", |_| {}).await;
    let mut right = 0;
    for (index, word) in unseen().iter().enumerate() {
        let question = FORMS[index % FORMS.len()].replace("{}", word);
        let answer = ask(
            &mut world,
            &advert,
            says(&question),
            temperature_e6,
            index as u64,
        )
        .await;
        right += usize::from(answer.text() == *word && answer.end == Some(EndReason::Stop));
    }
    right
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_builtin_model_repeats_words_that_it_never_saw() {
    let right = repeated(0).await;
    assert!(
        right * 100 >= WORDS * 95,
        "{right} of {WORDS} words are right"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_temperature_one_it_repeats_nearly_as_many() {
    let right = repeated(1_000_000).await;
    assert!(
        right * 100 >= WORDS * 90,
        "{right} of {WORDS} words are right"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_builtin_model_tells_a_long_story_and_never_the_same() {
    let (mut world, advert) = World::ready("builtin", |_| {}).await;
    let mut stories = Vec::new();
    for seed in 0..6 {
        let ask_for_it = (Role::User, "Tell a long story");
        let prompt = match seed % 2 {
            0 => chat(&[ask_for_it]),
            _ => chat(&[(Role::System, "You are a helpful assistant."), ask_for_it]),
        };
        let story = ask(&mut world, &advert, prompt, 1_000_000, seed).await;
        assert!(
            story.ids.len() >= 200,
            "{} tokens: {}",
            story.ids.len(),
            story.text()
        );
        stories.push(story.text());
    }
    stories.sort();
    stories.dedup();
    assert_eq!(stories.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_builtin_model_counts_adds_and_knows_what_a_mesh_is() {
    let (mut world, advert) = World::ready("builtin", |_| {}).await;
    let list = |to: u32| {
        (1..=to)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut cases: Vec<(String, String)> = [3, 5, 10, 20]
        .map(|to| (format!("Count from 1 to {to}"), list(to)))
        .to_vec();
    let sums = (0..100).map(|both| (both / 10, both % 10));
    cases.extend(sums.map(|(a, b)| (format!("What is {a} + {b}?"), (a + b).to_string())));
    let mesh = "A mesh is a group of machines that trust each other and pool their models behind \
        one endpoint.";
    let ticket = "A ticket is a signed invitation to a mesh. It has a scope, it expires, and it \
        can be revoked.";
    let relay = "A relay helps nodes find and admit each other. It never sees a prompt.";
    cases.extend([
        ("What is a mesh?".to_owned(), mesh.to_owned()),
        ("What is a ticket?".to_owned(), ticket.to_owned()),
        ("What is a relay?".to_owned(), relay.to_owned()),
    ]);
    for (question, expected) in cases {
        let answer = ask(&mut world, &advert, says(&question), 0, 0).await;
        assert!(answer.ids.len() < SHORT, "{question}");
        assert_eq!(answer.text(), expected, "{question}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_builtin_model_says_its_name_and_resumes_in_the_middle_of_a_story() {
    let (mut world, advert) = World::ready("builtin", |_| {}).await;
    assert_eq!(&*advert.name, "builtin");
    let mut job = world.job(advert.model, says("Tell a long story"));
    job.sampling = Sampling {
        temperature_e6: 1_000_000,
        top_p_e6: 1_000_000,
        seed: 5,
    };
    let whole = world.answer(&job, 600).await;
    for at in (0..whole.ids.len()).step_by(37) {
        job.resume = messages::List::truncated(whole.ids[..at].iter().copied());
        let rest = world.answer(&job, 600).await;
        assert_eq!(rest.ids, whole.ids[at..], "resumed at {at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chance_is_of_the_position_and_not_of_what_was_read() {
    let (mut world, advert) = World::ready("builtin", |_| {}).await;
    let told = "Once upon a time";
    let mut other = 0;
    for seed in 0..8 {
        let prompt = Prompt::Raw(Text::from(told));
        let whole = ask(&mut world, &advert, prompt, 2_000_000, seed).await;
        let Some(said) = whole
            .bytes
            .get(..4)
            .and_then(|said| str::from_utf8(said).ok())
        else {
            continue;
        };
        let longer = Prompt::Raw(Text::from(format!("{told}{said}")));
        let rest = ask(&mut world, &advert, longer, 2_000_000, seed).await;
        other += usize::from(rest.ids[..] != whole.ids[4..]);
    }
    assert!(
        other >= 4,
        "the same text at other positions went on as before in all but {other}"
    );
}
