/** The small elements that every page may use. Charts come with the pages that draw some. */
import "./action";
import "./badge";
import "./dialog";
import "./states";
import "./table";
import "./time";
