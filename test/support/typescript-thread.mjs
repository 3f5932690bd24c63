/** Lets a thread that tests start from the sources read TypeScript: it does not have what the main thread was told. */
import { register } from 'tsx/esm/api';

register();
