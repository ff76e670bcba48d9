/**
 * FaceLandmarker: the landmarker of faces. What it does is in landmarker.ts.
 */
import type { LandmarkResult } from '../protocol/result';
import { connect, Landmarker, type Connection } from './landmarker';
import { FACE_OPTIONS, type FaceLandmarkerOptions } from './options';
import { subjectsOf, type FaceLandmarkerResult } from './result';

/** Finds the landmarks of faces. Runs in the page's worker; close() frees what it holds. */
export class FaceLandmarker extends Landmarker<FaceLandmarkerResult> {
  /**
   * Starts or joins the worker, loads the packs and prepares a backend. Throws BitmarksError: 'options/invalid',
   * 'worker/failed', 'pack/*', 'graph/malformed', 'backend/unavailable', 'backend/failed', 'aborted'.
   */
  static async create(options?: FaceLandmarkerOptions): Promise<FaceLandmarker> {
    return new FaceLandmarker(await connect('face', FACE_OPTIONS, options));
  }

  private constructor(connection: Connection) {
    super(connection);
  }

  protected override toResult(result: LandmarkResult): FaceLandmarkerResult {
    const { subjects, rest } = subjectsOf(result, this.info);
    return { faces: subjects, ...rest };
  }
}
