/**
 * README.md against the code: its examples compile, its tables name what exists and all that exists.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { accuracyTable } from '../../scripts/figures';

const README = readFileSync('README.md', 'utf8');

/** First cell of each row between the two markers, as the list of its `code` words. */
function tableNames(marker: string): string[] {
  const table = new RegExp(`<!-- ${marker} -->([^]*)<!-- /${marker} -->`).exec(README)?.[1];
  if (table === undefined) throw new Error(`README.md has no part marked '${marker}'`);
  return table
    .split('\n')
    .flatMap((line) => (line.startsWith('| `') ? [line.split('|')[1] ?? ''] : []))
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
}

/** A program over one text that stands in the repository's root, with 'bitmarks' as its src/index.ts. */
function compile(text: string): { program: ts.Program; file: ts.SourceFile } {
  const name = path.resolve('readme_example.ts');
  const { config } = ts.readConfigFile('tsconfig.src.json', (file) => ts.sys.readFile(file)) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
  options.paths = { bitmarks: [path.resolve('src/index.ts')] };
  const base = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...base,
    fileExists: (file) => file === name || base.fileExists(file),
    readFile: (file) => (file === name ? text : base.readFile(file)),
    getSourceFile: (file, target) =>
      file === name ? ts.createSourceFile(file, text, target) : base.getSourceFile(file, target),
  };
  const program = ts.createProgram([name], options, host);
  const file = program.getSourceFile(name);
  if (file === undefined) throw new Error('the example was not read');
  return { program, file };
}

function errors(text: string): string[] {
  const { program } = compile(text);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

/** Literal members of a union type, or property names of an interface. */
function membersOf(typeName: string): string[] {
  const { program, file } = compile(
    `import type { ${typeName} } from 'bitmarks';\nexport type T = ${typeName};`,
  );
  const checker = program.getTypeChecker();
  const node = file.statements.find((statement) => ts.isTypeAliasDeclaration(statement));
  if (node === undefined) throw new Error(`no type ${typeName}`);
  const type = checker.getTypeAtLocation(node.name);
  if (!type.isUnion()) return checker.getPropertiesOfType(type).map(({ name }) => name);
  return type.types.map((member) => (member.isStringLiteral() ? member.value : '?'));
}

const examples = [...README.matchAll(/```ts\n([^]*?)```/g)].map((match) => match[1] ?? '');

test('there are examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(2);
});

test.each(examples.map((text, index) => [index + 1, text] as const))(
  'example %i compiles',
  (_, text) => {
    expect(errors(text)).toEqual([]);
  },
);

test('an example that names what does not exist would not compile', () => {
  expect(errors("import { Nothing } from 'bitmarks';\nNothing();")).not.toEqual([]);
});

test('the table of options is complete', () => {
  expect(tableNames('options').filter((name, i, all) => all.indexOf(name) === i)).toEqual(
    membersOf('FaceLandmarkerOptions'),
  );
});

test('the table of error codes is complete', () => {
  expect(tableNames('errors').sort()).toEqual(membersOf('BitmarksErrorCode').sort());
});

test('the accuracy is that of the packs', () => {
  expect(README, 'run npm run figures').toContain(accuracyTable());
});
