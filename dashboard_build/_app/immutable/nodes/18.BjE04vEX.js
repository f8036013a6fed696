import{_ as m}from"../chunks/CxCfBKFf.js";export{m as component};
