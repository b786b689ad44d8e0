//! The chat template of a model file, rendered as the model's own tools do.

use messages::Wall;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, context};

/// A parsed chat template.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    begin: String,
    end: String,
}

impl Template {
    /// Parses a template; without one, a plain transcript is what the model continues.
    pub(super) fn new(source: Option<&str>, begin: &str, end: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|error| error.to_string())?);
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |why: String| -> Result<Value, Error> {
            Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("{RAISED}{why}"),
            ))
        });
        environment
            .add_template_owned(NAME, source.unwrap_or(TRANSCRIPT).to_owned())
            .map_err(|error| format!("the chat template cannot be read: {error}"))?;
        Ok(Self {
            environment,
            begin: begin.to_owned(),
            end: end.to_owned(),
        })
    }

    /// The prompt of these messages, as (role, content), with the assistant's turn open.
    pub(super) fn render(&self, messages: &[(&str, String)], time: Wall) -> Result<String, String> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|(role, content)| context! { role => *role, content => content.as_str() })
            .collect();
        let now = Value::from_function(move |format: String| strftime(&format, time));
        self.environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! {
                    messages => messages,
                    add_generation_prompt => true,
                    bos_token => self.begin.as_str(),
                    eos_token => self.end.as_str(),
                    strftime_now => now,
                })
            })
            .map_err(|error| complaint(&error))
    }
}

/// What a client is told. A detail of the engine's own could show what a user wrote; the sentence
/// that the template raises is the model's.
fn complaint(error: &Error) -> String {
    let raised = error
        .detail()
        .and_then(|detail| detail.strip_prefix(RAISED));
    match raised {
        Some(why) => format!("the model's chat template says: {why}"),
        None => format!("the model's chat template fails: {}", error.kind()),
    }
}

/// The time as C's `strftime` formats it, of the fields that published templates use.
fn strftime(format: &str, time: Wall) -> String {
    let seconds = time.0 / 1_000_000;
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let month_name = at(&MONTHS, month - 1);
    // The epoch was a Thursday.
    let day_name = at(&DAYS, (days + 4) % 7);
    let mut out = String::new();
    let mut rest = format.chars();
    while let Some(letter) = rest.next() {
        let field = match (letter, letter.eq(&'%').then(|| rest.next()).flatten()) {
            ('%', Some(field)) => field,
            (plain, _) => {
                out.push(plain);
                continue;
            }
        };
        out.push_str(&match field {
            'Y' => year.to_string(),
            'y' => format!("{:02}", year % 100),
            'm' => format!("{month:02}"),
            'd' => format!("{day:02}"),
            'e' => format!("{day:2}"),
            'B' => month_name.to_owned(),
            'b' => month_name[..3].to_owned(),
            'A' => day_name.to_owned(),
            'a' => day_name[..3].to_owned(),
            'H' => format!("{:02}", clock / 3_600),
            'M' => format!("{:02}", clock / 60 % 60),
            'S' => format!("{:02}", clock % 60),
            'F' => format!("{year}-{month:02}-{day:02}"),
            'T' => format!(
                "{:02}:{:02}:{:02}",
                clock / 3_600,
                clock / 60 % 60,
                clock % 60
            ),
            'Z' => "UTC".to_owned(),
            '%' => "%".to_owned(),
            other => format!("%{other}"),
        });
    }
    out
}

/// Year, month and day of a day since the epoch (the inverse of Hinnant's `days_from_civil`).
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

fn at<'a>(names: &[&'a str], index: u64) -> &'a str {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index))
        .copied()
        .unwrap_or("???")
}

const NAME: &str = "chat";
/// Operations of a rendering: the longest chat (4,096 messages) takes some 200,000.
const FUEL: u64 = 5_000_000;
/// Before the sentence of a template's own exception.
const RAISED: &str = "raised: ";
/// For a model that brings no template.
const TRANSCRIPT: &str = "{% for message in messages %}{{ message.role }}: \
    {{ message.content }}\n{% endfor %}assistant:";
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, content: &str) -> Result<String, String> {
        let template = Template::new(Some(source), "<s>", "</s>")?;
        template.render(&[("user", content.to_owned())], Wall(1_709_210_096_000_000))
    }

    #[test]
    fn a_template_is_rendered_as_the_models_own_tools_do() {
        let source = "{{ bos_token }}{% for m in messages %}\n  {% if m.role == 'user' %}\n\
            [{{ m.content.strip() }}]{% endif %}\n{% endfor %}{{ eos_token }}";
        assert_eq!(render(source, "  hello ").unwrap(), "<s>[hello]</s>");
        let plain = Template::new(None, "", "").unwrap();
        let text = plain.render(&[("user", "hi".to_owned())], Wall(0)).unwrap();
        assert_eq!(text, "user: hi\nassistant:");
    }

    #[test]
    fn the_time_is_that_of_the_job() {
        let source = "{{ strftime_now('%A, %d %B %Y (%a %b %e %y) %H:%M:%S %F %T 100%% %q') }}";
        assert_eq!(
            render(source, "").unwrap(),
            "Thursday, 29 February 2024 (Thu Feb 29 24) 12:34:56 2024-02-29 12:34:56 100% %q"
        );
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_722), (2023, 12, 31));
    }

    #[test]
    fn a_template_that_refuses_fails_or_never_ends_is_an_error_without_user_text() {
        let raised = render("{{ raise_exception('roles must alternate') }}", "secret");
        assert!(raised.unwrap_err().contains("roles must alternate"));
        let failed = render("{{ messages[0].content.absent() }}", "secret").unwrap_err();
        assert!(!failed.contains("secret"), "{failed}");
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(render(endless, "").unwrap_err().contains("fails"));
        assert!(
            render("{% if %}", "")
                .unwrap_err()
                .contains("cannot be read")
        );
    }
}
