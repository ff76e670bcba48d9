/**
 * The worker's script. Starts the service, or where the WASM engine started it, one of its helper threads, and nothing else.
 */
import { HELPER_NAME, serveAsHelper } from '../src/engine/wasm/threads/helper';
import { createRealService, exposeService, reportRejections } from '../src/worker/expose_service';

if (self.name === HELPER_NAME) {
  serveAsHelper();
} else {
  reportRejections();
  exposeService(createRealService());
}
