/** Starts the page: the frame, the screens, what ends a session. */

import "@digital-go-jp/design-tokens/dist/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/screens.css";

import { start } from "./frame";

start();
