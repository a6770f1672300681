//! Program code in conversations. No braces that are empty: `{}` is the topic.

pub(super) const SNIPPETS: &[&str] = &[
    "```python\ndef moving_average(values, window):\n    total = sum(values[:window])\n    averages = [total / window]\n    for old, new in zip(values, values[window:]):\n        total += new - old\n        averages.append(total / window)\n    return averages\n```",
    "```rust\nfn percentile(sorted: &[f64], p: f64) -> Option<f64> {\n    let last = sorted.len().checked_sub(1)?;\n    let rank = p / 100.0 * last as f64;\n    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);\n    Some(sorted[low] + (sorted[high] - sorted[low]) * rank.fract())\n}\n```",
    "```sql\nSELECT city, COUNT(*) AS visits, AVG(duration_s) AS mean_s\nFROM trips\nWHERE started_at >= DATE '2024-01-01'\nGROUP BY city\nHAVING COUNT(*) > 20\nORDER BY mean_s DESC;\n```",
    "```bash\nfor file in logs/*.txt; do\n  printf '%s %s\\n' \"$(grep -c ERROR \"$file\")\" \"$file\"\ndone | sort -rn | head -5\n```",
    "```javascript\nexport async function retry(task, attempts = 3) {\n  for (let i = 1; ; i += 1) {\n    try {\n      return await task();\n    } catch (error) {\n      if (i === attempts) throw error;\n    }\n  }\n}\n```",
    "```json\n{\"name\": \"garden\", \"beds\": [{\"plant\": \"beans\", \"rows\": 3}, {\"plant\": \"kale\", \"rows\": 2}], \"watered\": true}\n```",
];
