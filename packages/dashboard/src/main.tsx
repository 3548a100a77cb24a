/** The page's first lines: draws the dashboard, and begins to watch the control plane. */
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { jobFeed } from './live/job-feed.ts';
import { statsHistory } from './live/stats-history.ts';

const place = document.getElementById('app');
if (place === null) throw new Error('the page has no place for the dashboard');
render(<App />, place);
jobFeed.start();
statsHistory.start();
