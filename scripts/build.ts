/** `npm run build`: makes what a checkout lacks until it is asked for: the files of the dashboard. */
import { buildDashboard } from './build/dashboard.ts';

const isNew = await buildDashboard();
console.log(isNew ? 'The dashboard is built: packages/dashboard/dist.' : 'The dashboard is built already.');
