// The whole program: the paths' commands, and those that get it in and out of the path.

import { start } from '../proxy/main';
import { deployCommands, DEPLOY_HELP } from './cli/commands';

start({ commands: deployCommands, help: DEPLOY_HELP });
