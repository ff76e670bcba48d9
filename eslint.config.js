/**
 * Lint: typed rules at their strictest, and the import zones of scripts/zones.js.
 */
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { zonesRule } from './scripts/zones.js';

export default defineConfig(
  {
    ignores: [
      ...['**/dist/', 'node_modules/', 'coverage/', 'test-results/', '.cache/', '.venv/'],
      ...['training/', 'src/engine/wasm/assembly/'],
    ],
  },
  {
    files: ['**/*.{ts,js,mjs}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { bitmarks: { rules: { zones: zonesRule } } },
    rules: {
      'bitmarks/zones': 'error',
      'max-lines': ['error', { max: 400 }],
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Export by name.' },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/ban-ts-comment': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Numbers read well in messages; everything else must be turned into text on purpose.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `while (true)` is the plain form of a loop that ends by return or break.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['*.config.{ts,js}', 'demo/vite.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
