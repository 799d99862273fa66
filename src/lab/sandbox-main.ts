// Entry of the supervisor inside the sandbox. Apart from the program's main file so that a lab needs neither server nor
// agent to load.
import { flushCompileCache } from 'node:module';
import { labSupervise } from './supervise.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: sandbox-main.ts LAB-FILE');
flushCompileCache(); // a lab is ended by force
await labSupervise(file);
