/** Starts the page: the frame, the screens, what ends a session. */

import "@digital-go-jp/design-tokens/dist/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/frame.css";
import "./styles/check.css";
import "./styles/result.css";
import "./styles/lists.css";

import { start } from "./frame";

start();
