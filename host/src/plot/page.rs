//! Pages that need no network: style, data and script are all inside, and the
//! page forbids itself to load anything.

use serde::Serialize;

use super::figure::Figure;
use super::svg::escape;

const FIGURE_STYLE: &str = include_str!("page/figure.css");
const FIGURE_SCRIPT: &str = include_str!("page/figure.js");

/// The figure with values at the pointer and a legend that switches curves.
pub fn of_figure(figure: &Figure) -> String {
    let svg = figure.to_svg();
    let body = format!(
        "<main id=\"figure\">\n{svg}<div id=\"values\" hidden></div>\n</main>\n<p class=\"hint\">Point at a curve for \
         its values. Click an entry of the legend to hide or show it.</p>\n"
    );
    document(&figure.title, FIGURE_STYLE, &body, &figure.spots, FIGURE_SCRIPT)
}

/// A whole page. `data` is there for the script as the constant `DATA`.
pub fn document(title: &str, style: &str, body: &str, data: &impl Serialize, script: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src \
         'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<title>{}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}<script>\n\"use \
         strict\";\nconst DATA = {};\n{script}</script>\n</body>\n</html>\n",
        escape(title),
        script_json(data)
    )
}

/// JSON that may stand within a script: nothing in it ends the script.
fn script_json(data: &impl Serialize) -> String {
    let json = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_ends_the_script() {
        let page = document("</title><b>", "", "", &["</script><script>alert(1)"], "");
        assert_eq!(page.matches("</script>").count(), 1);
        assert_eq!(page.matches("</title>").count(), 1);
        assert!(page.contains(r#"["\u003c/script>\u003cscript>alert(1)"]"#), "{page}");
        assert!(!page.contains("http://") && !page.contains("https://"));
    }
}
