import tseslint from 'typescript-eslint';
import { rooms } from './eslint.rooms.mjs';

export default tseslint.config(
  { ignores: ['dist/', 'dist-bench/', 'node_modules/'] },
  ...tseslint.configs.strict,
  {
    files: ['**/*.ts'],
    plugins: { rooms },
    rules: {
      'rooms/order': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    // The inspector has no clock, no chance and no input or output.
    files: ['inspect/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        'Date',
        'Buffer',
        'process',
        'console',
        'setTimeout',
        'setInterval',
        'performance',
      ],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
      'no-restricted-imports': ['error', { patterns: ['node:*'] }],
    },
  },
  {
    files: ['proxy/**/*.ts'],
    ignores: ['proxy/config/config.ts'],
    rules: { 'no-restricted-properties': ['error', { object: 'process', property: 'env' }] },
  },
  {
    files: ['test/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    // A table is as long as it has rows.
    files: ['test/**/*.table.ts'],
    rules: { 'max-lines': 'off' },
  },
);
