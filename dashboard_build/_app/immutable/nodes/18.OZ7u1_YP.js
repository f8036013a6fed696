import{_ as m}from"../chunks/DmpyPDl4.js";export{m as component};
