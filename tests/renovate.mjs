// What Renovate's custom managers find in a file, and what they make of it: its own patterns, in the language that
// they are written for. https://docs.renovatebot.com/modules/manager/regex/
// A question is a line of JSON, an answer too, so that one process answers all of them.
import { createInterface } from "node:readline";

const all = (pattern, part) => [...part.matchAll(new RegExp(pattern, "g"))];

function recursive(patterns, part, groups) {
  if (patterns.length === 0) return [{ groups, replaced: part }];
  const [first, ...rest] = patterns;
  return all(first, part).flatMap((match) => recursive(rest, match[0], { ...groups, ...match.groups }));
}

function find(manager, whole) {
  if (manager.matchStringsStrategy === "recursive") return recursive(manager.matchStrings, whole, {});
  return manager.matchStrings
    .flatMap((pattern) => all(pattern, whole))
    .map((match) => ({ groups: { ...match.groups }, replaced: match[0] }));
}

// Of Handlebars the two forms that the templates use; another one stays as it is, and fails the test.
function filled(template, fields) {
  return template
    .replace(/\{\{#if (\w+)\}\}(.*?)\{\{\/if\}\}/gs, (_, name, inner) => (fields[name] ? inner : ""))
    .replace(/\{\{\{(\w+)\}\}\}/g, (_, name) => fields[name]);
}

function raise(manager, { groups, replaced }, upgrade) {
  const newDigest = groups.currentDigest && upgrade.newDigest;
  if (manager.autoReplaceStringTemplate) {
    return filled(manager.autoReplaceStringTemplate, { ...groups, newValue: upgrade.newValue, newDigest });
  }
  const raised = replaced.replaceAll(groups.currentValue, upgrade.newValue);
  return newDigest ? raised.replaceAll(groups.currentDigest, newDigest) : raised;
}

function answer({ managers, path, text, upgrade }) {
  const dependencies = [];
  let raised = text;
  for (const manager of managers) {
    if (!manager.managerFilePatterns.some((item) => new RegExp(item.replace(/^\/|\/$/g, "")).test(path))) continue;
    for (const match of find(manager, text)) {
      const { depName = manager.depNameTemplate, currentValue, currentDigest } = match.groups;
      dependencies.push({ depName, currentValue, currentDigest });
      if (upgrade) raised = raised.replace(match.replaced, () => raise(manager, match, upgrade));
    }
  }
  return { dependencies, raised };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
}
