/**
 * `npm run figures`. Apart from figures.ts so that tests can import that without anything being written.
 */
import { writeFigures } from './figures';

writeFigures();
