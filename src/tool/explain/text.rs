use super::Explanation;
pub(super) fn render(explanation: &Explanation) -> String {
    format!("{explanation:#?}")
}
