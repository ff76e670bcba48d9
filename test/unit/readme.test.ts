/**
 * README.md against the code: its examples compile, its tables name what exists and all that exists, its figures are those
 * of the packs.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { beforeAll, expect, test } from 'vitest';
import { accuracyTable } from '../../scripts/figures';

const README = readFileSync('README.md', 'utf8');
const EXAMPLES = [...README.matchAll(/```ts\n([^]*?)```/g)].map((match) => match[1] ?? '');

/** Texts that stand in the repository's root, by file name; all are compiled at once, as that takes long. */
const TEXTS = new Map([
  ...EXAMPLES.map((text, index) => [fileName(`example${index + 1}`), text] as const),
  [fileName('wrong'), "import { Nothing } from 'bitmarks';\nNothing();"],
  [
    fileName('types'),
    `import type { BitmarksErrorCode, FaceLandmarkerOptions } from 'bitmarks';
    export type Codes = BitmarksErrorCode;
    export type Options = FaceLandmarkerOptions;`,
  ],
]);

let program: ts.Program;

beforeAll(() => {
  const { config } = ts.readConfigFile('tsconfig.src.json', (file) => ts.sys.readFile(file)) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
  const base = ts.createCompilerHost(options);
  program = ts.createProgram([...TEXTS.keys()], options, {
    ...base,
    fileExists: (file) => TEXTS.has(file) || base.fileExists(file),
    readFile: (file) => TEXTS.get(file) ?? base.readFile(file),
    getSourceFile: (file, target) => {
      const text = TEXTS.get(file);
      return text === undefined
        ? base.getSourceFile(file, target)
        : ts.createSourceFile(file, text, target);
    },
  });
}, 120_000);

function fileName(name: string): string {
  return path.resolve(`readme_${name}.ts`);
}

function sourceFile(name: string): ts.SourceFile {
  const file = program.getSourceFile(fileName(name));
  if (file === undefined) throw new Error(`${name} was not read`);
  return file;
}

function errors(name: string): string[] {
  const file = sourceFile(name);
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
    ({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'),
  );
}

/** Literal members of a union type, or property names of an interface, that the file 'types' names. */
function membersOf(alias: string): string[] {
  const node = sourceFile('types').statements.find(
    (statement) => ts.isTypeAliasDeclaration(statement) && statement.name.text === alias,
  );
  if (node === undefined || !ts.isTypeAliasDeclaration(node)) throw new Error(`no type ${alias}`);
  const checker = program.getTypeChecker();
  const type = checker.getTypeAtLocation(node.name);
  if (!type.isUnion()) return checker.getPropertiesOfType(type).map(({ name }) => name);
  return type.types.map((member) => (member.isStringLiteral() ? member.value : '?'));
}

/** `code` words in the first cell of each row between the two markers. */
function tableNames(marker: string): string[] {
  const table = new RegExp(`<!-- ${marker} -->([^]*)<!-- /${marker} -->`).exec(README)?.[1];
  if (table === undefined) throw new Error(`README.md has no part marked '${marker}'`);
  return table
    .split('\n')
    .flatMap((line) => (line.startsWith('| `') ? [line.split('|')[1] ?? ''] : []))
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
}

test.each(EXAMPLES.map((_, index) => index + 1))(
  'example %i compiles',
  (index) => {
    expect(errors(`example${index}`)).toEqual([]);
  },
  120_000,
);

test('there are examples, and one that names what does not exist would not compile', () => {
  expect(EXAMPLES.length).toBeGreaterThanOrEqual(3);
  expect(errors('wrong')).not.toEqual([]);
});

test('the table of options is complete', () => {
  expect(tableNames('options')).toEqual(membersOf('Options'));
});

test('the table of error codes is complete', () => {
  expect(tableNames('errors').sort()).toEqual(membersOf('Codes').sort());
});

test('the accuracy is that of the packs', () => {
  expect(README, 'run npm run figures').toContain(accuracyTable());
});
