/**
 * PoseLandmarker: the landmarker of people. What it does is in landmarker.ts.
 */
import type { LandmarkResult } from '../protocol/result';
import { connect, Landmarker, type Connection } from './landmarker';
import { POSE_OPTIONS, type PoseLandmarkerOptions } from './options';
import { subjectsOf, type PoseLandmarkerResult } from './result';

/** Finds the joints of people. Runs in the page's worker; close() frees what it holds. */
export class PoseLandmarker extends Landmarker<PoseLandmarkerResult> {
  /**
   * Starts or joins the worker, loads the packs and prepares a backend. Throws BitmarksError: 'options/invalid',
   * 'worker/failed', 'pack/*', 'graph/malformed', 'backend/unavailable', 'backend/failed', 'aborted'.
   */
  static async create(options?: PoseLandmarkerOptions): Promise<PoseLandmarker> {
    return new PoseLandmarker(await connect('pose', POSE_OPTIONS, options));
  }

  private constructor(connection: Connection) {
    super(connection);
  }

  protected override toResult(result: LandmarkResult): PoseLandmarkerResult {
    const { subjects, rest } = subjectsOf(result, this.info);
    return { poses: subjects, ...rest };
  }
}
