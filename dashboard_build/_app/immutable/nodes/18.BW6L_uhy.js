import{_ as m}from"../chunks/DGptyxOp.js";export{m as component};
