/**
 * The worker's script. Starts the service and nothing else.
 */
import { createRealService, exposeService, reportRejections } from '../src/worker/expose_service';

reportRejections();
exposeService(createRealService());
