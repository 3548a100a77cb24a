#!/usr/bin/env node
import process from 'node:process';
import { runOnNode26 } from './node26.mjs';

await runOnNode26(['flawless', ...process.argv.slice(2)]);
